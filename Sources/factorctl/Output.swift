import ArgumentParser
import StreamTools

/// The flag for output that a machine reads.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print JSON, for machines.")
    var json = false
}

/// Prints to standard output.
func say(_ text: String) {
    Terminal.write(text.hasSuffix("\n") ? text : text + "\n")
}

/// Tells the person, apart from the output.
func note(_ text: String) {
    Terminal.write(text + "\n", to: .error)
}

/// Context pairs from `FIELD=VALUE` arguments.
func contextPairs(_ arguments: [String]) throws -> [ContextPair] {
    try arguments.map { argument in
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let value = EventID(String(parts[1])) else {
            throw ValidationError("--context \(argument): write FIELD=VALUE, such as hour=13")
        }
        return ContextPair(field: String(parts[0]), value: value)
    }
}

/// Runs what can be stopped by ^C: that ends with the usual exit code 130 and without an error text.
func interruptible(_ body: () throws -> Void) throws {
    Interruption.catchSignals()
    do {
        try body()
    } catch StreamToolsError.interrupted {
        throw ExitCode(130)
    }
}
