"""The documentation as a site: pages of docs/ as they are, and pages that are made from the code.

In: docs/, the tools' apps, nextflow_schema.json, the package's source. Out: `mkdocs build` with every link checked.
A surprise: nothing that is generated is kept in the repository, so none of it can be out of date.
"""
