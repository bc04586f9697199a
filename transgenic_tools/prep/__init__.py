"""tg-prep: genomes and annotations into gene shards."""
