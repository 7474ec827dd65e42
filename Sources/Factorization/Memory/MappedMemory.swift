import CKernels

/// Maps zeroed memory that costs nothing until touched; `fk_unmap` gives it back. Memory that the system cannot give is no operating
/// state that the daemon could go on in.
func mapMemory(_ bytes: Int) -> UnsafeMutableRawPointer {
    guard let memory = fk_map(bytes) else { preconditionFailure("the system refused to map \(bytes) bytes") }
    return memory
}
