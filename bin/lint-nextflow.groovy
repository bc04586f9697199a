/*
 * What `nextflow lint` does, by the classes that it is made of (`nextflow lint` itself comes with 25.04, our floor is 24.10).
 *
 * In: paths of scripts and configuration files. Out: errors and warnings, those for future versions included, and exit 1.
 */
import nextflow.config.control.ConfigParser
import nextflow.script.control.ScriptParser
import org.codehaus.groovy.control.messages.SyntaxErrorMessage

def scripts = new ScriptParser()
def configs = new ConfigParser()
args.each { name -> (name.endsWith('.config') ? configs : scripts).parse(new File(name).absoluteFile) }
scripts.analyze()
configs.analyze()

def findings = [scripts, configs].collectMany { parser ->
    parser.compiler().sources.values().collectMany { source ->
        def collector = source.errorCollector
        def errors = (collector.errors ?: []).findAll { message -> message instanceof SyntaxErrorMessage }
            .collect { message -> "${source.name}: ${message.cause.line}: error: ${message.cause.originalMessage}" }
        def broken = collector.hasErrors() && !errors ? ["${source.name}: error: cannot be parsed"] : []
        def warnings = (collector.warnings ?: []).collect { message ->
            "${source.name}: ${message.context?.startLine}: warning: ${message.message}"
        }
        errors + broken + warnings
    }
}
findings.each { finding -> println(finding) }
System.exit(findings ? 1 : 0)
