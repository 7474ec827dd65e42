public import LinuxSystem

/// What can go wrong with stored state. Each case names the file and what was wrong in it.
public enum PersistenceError: Error, Equatable, CustomStringConvertible {
    /// The operating system refused something; the error names the call and the path.
    case system(SystemError)
    /// The file is not what was written: a checksum or a fixed value does not hold at `offset` (bytes).
    case damaged(file: String, offset: UInt64, what: String)
    /// A newer program wrote the file. It is left where it is; start that program, or set the file aside.
    case newerVersion(file: String, found: UInt32, supported: UInt32)
    /// The file holds no section of that name.
    case sectionMissing(file: String, section: String)
    /// A read of `length` bytes at `offset` of a section that has only `size` bytes.
    case beyondSection(file: String, section: String, offset: UInt64, length: Int, size: UInt64)
    /// Another process (its id, where known) works in the directory. Stop it, or configure another directory.
    case directoryInUse(directory: String, process: Int32?)
    /// The caller's content must not be stored (or not be loaded), and why: for the code that fills or reads sections.
    case contentRefused(file: String, reason: String)

    public var description: String {
        switch self {
        case .system(let error):
            error.description
        case .damaged(let file, let offset, let what):
            "\(file): damaged at byte \(offset): \(what)"
        case .newerVersion(let file, let found, let supported):
            "\(file): written in format version \(found), this program reads up to version \(supported); run a newer one"
        case .sectionMissing(let file, let section):
            "\(file): has no section \"\(section)\""
        case .beyondSection(let file, let section, let offset, let length, let size):
            "\(file): \(length) bytes at \(offset) asked of section \"\(section)\", which has \(size)"
        case .directoryInUse(let directory, let process?):
            "\(directory): in use by process \(process); stop it or configure another state directory"
        case .directoryInUse(let directory, nil):
            "\(directory): in use by another process; stop it or configure another state directory"
        case .contentRefused(let file, let reason):
            "\(file): \(reason)"
        }
    }
}

/// Runs file-system calls and says their failure in this module's terms.
func system<Value>(_ body: () throws(SystemError) -> Value) throws(PersistenceError) -> Value {
    do throws(SystemError) { return try body() } catch { throw .system(error) }
}
