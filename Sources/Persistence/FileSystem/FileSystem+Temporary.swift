internal import LinuxSystem

extension FileSystem {
    /// Creates a file that gets its lasting name later. Only for whoever holds the lock on its directory.
    func createTemporary(_ path: String, isLarge: Bool = false) throws(PersistenceError) -> any OpenFile {
        do throws(SystemError) {
            return try isLarge ? createLargeFile(path) : createFile(path)
        } catch where error.code == existsErrorCode {
            // Left by an attempt that could not clean up; the lock says that nobody else works here.
            return try system { () throws(SystemError) in
                try remove(path)
                return try isLarge ? createLargeFile(path) : createFile(path)
            }
        } catch {
            throw .system(error)
        }
    }
}
