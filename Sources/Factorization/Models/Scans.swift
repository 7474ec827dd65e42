import CKernels

/// The first pass of retrieval for one instruction set, chosen once at start.
struct Scans: @unchecked Sendable {
    enum Variant: Int, CaseIterable {
        case portable = 0, avx2 = 1, vnni = 2
    }

    let variant: Variant
    let write: @convention(c) (
        UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, Int, UnsafePointer<Float>?, Float, Int) -> Void
    let scan: @convention(c) (
        UnsafePointer<fk_scan_query>?, UnsafePointer<UInt8>?, UnsafePointer<UInt8>?, Int, Float, UInt32, UnsafeMutablePointer<UInt32>?,
        UnsafeMutablePointer<Float>?) -> Int

    /// The first pass of `variant`, or nil where this processor lacks it.
    init?(_ variant: Variant) {
        guard let table = fk_scans_for(CInt(variant.rawValue)) else { return nil }
        self.variant = variant
        write = table.pointee.write
        scan = table.pointee.scan
    }

    /// What goes with row kernels: the widest set for the widest, the portable one for the portable.
    static func beside(_ kernels: Kernels) -> Scans {
        let most = kernels.variant == .portable ? Variant.portable : kernels.variant == .avx2 ? .avx2 : .vnni
        return Variant.allCases.reversed().lazy.filter { $0.rawValue <= most.rawValue }.compactMap { Scans($0) }.first!
    }
}
