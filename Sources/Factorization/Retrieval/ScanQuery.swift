import CKernels

/// A folded query as the first pass takes it. Scratch of one scorer; read by its helpers while a scan lasts.
final class ScanQuery: @unchecked Sendable {
    let words: UnsafeMutablePointer<fk_scan_query>

    init() {
        words = .allocate(capacity: 1)
        words.initialize(to: fk_scan_query())
    }

    deinit { words.deallocate() }

    /// - Returns: false where the numbers are such that no bound is proven for them.
    func prepare(_ query: UnsafePointer<Float>, width: Int, constant: Float) -> Bool {
        fk_scan_prepare(words, query, width, constant) != 0
    }
}
