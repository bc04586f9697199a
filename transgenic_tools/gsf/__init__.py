"""Gene sentence format (GSF): the text of one gene, relative to its window. Grammar in docs/formats.md."""

from transgenic_tools.gsf.parser import parse
from transgenic_tools.gsf.writer import write

__all__ = ["parse", "write"]
