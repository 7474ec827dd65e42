import CLinux
import Glibc

/// What is done to names in directories. Nothing here is durable before `sync` of the directory that holds the name.
public enum Directory {
    /// Creates one directory (not its parents). Returns `false` where a directory of that name already exists.
    @discardableResult
    public static func create(_ path: String, permissions: UInt32 = 0o700) throws(SystemError) -> Bool {
        do throws(SystemError) {
            try diskCall("mkdir", path) { mkdir(path, permissions) }
            return true
        } catch where error.code == EEXIST {
            var status = stat()
            try diskCall("stat", path) { stat(path, &status) }
            guard status.st_mode & S_IFMT == S_IFDIR else {
                throw SystemError(call: "mkdir", subject: path, code: ENOTDIR)
            }
            return false
        }
    }

    /// The names in a directory, without `.` and `..`, in no particular order.
    public static func list(_ path: String) throws(SystemError) -> [String] {
        let descriptor = try diskCall("open", path) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        var opened: OpaquePointer?
        do throws(SystemError) {
            try systemCall("fdopendir", path) {
                opened = fdopendir(descriptor)
                return opened == nil ? Int32(-1) : 0
            }
        } catch {
            _ = Glibc.close(descriptor)
            throw error
        }
        guard let stream = opened else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while true {
            var entry: UnsafePointer<CChar>?
            let step = try diskCall("readdir", path) { clinux_next_entry(UnsafeMutableRawPointer(stream), &entry) }
            guard step > 0, let entry else { return names }
            let name = String(cString: entry)
            if name != "." && name != ".." { names.append(name) }
        }
    }

    /// Makes the directory's entries (creations, renames, removals) durable. Opens the directory anew each time, so a
    /// failed descriptor is never synced again.
    public static func sync(_ path: String) throws(SystemError) {
        let descriptor = try diskCall("open", path) { Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        defer { _ = Glibc.close(descriptor) }
        try diskCall("fsync", path) { fsync(descriptor) }
    }

    /// Renames a file; throws EEXIST where the new name is taken, never replaces.
    public static func renameExclusive(_ from: String, to: String) throws(SystemError) {
        do throws(SystemError) {
            try diskCall("renameat2", "\(from) to \(to)") { clinux_rename_exclusive(from, to) }
        } catch where error.code == EINVAL || error.code == ENOSYS {
            // File systems without RENAME_NOREPLACE (some network and sandbox ones): a hard link is exclusive as well.
            try diskCall("link", "\(from) to \(to)") { link(from, to) }
            try remove(from)
        }
    }

    /// Removes a file's name.
    public static func remove(_ path: String) throws(SystemError) {
        try diskCall("unlink", path) { unlink(path) }
    }
}
