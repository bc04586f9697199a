/*
 * Functions of the pipeline called alone, for tests/pipeline/test_values.py: many values in one Nextflow.
 *
 * In: --cases, a JSON list of maps of parameters. Out: --results, for each case its faults, what the typed reader makes of
 * it, and the words that every tool would get.
 */
include { toolFlags      } from '../../../modules/local/flags'
include { words          } from '../../../modules/local/flags'
include { faultsOfParams } from '../../../subworkflows/local/utils_transgenic_pipeline/schema'
include { readSchema     } from '../../../subworkflows/local/utils_transgenic_pipeline/schema'
include { typedParams    } from '../../../subworkflows/local/utils_transgenic_pipeline/schema'

workflow {
    def schema = readSchema("${projectDir}/../../../nextflow_schema.json")
    def results = new groovy.json.JsonSlurper().parse(file(params.cases).toFile()).collect { given ->
        def faults = faultsOfParams(given, schema)
        def typed  = typedParams(given, schema)
        [
            faults: faults,
            typed: typed,
            words: faults ? [:] : toolFlags(typed).collectEntries { tool, flags -> [tool, words(flags)] },
        ]
    }
    file(params.results).text = groovy.json.JsonOutput.toJson(results)
}
