import CKernels

/// The row kernels of one instruction set, chosen once at start.
public struct Kernels: @unchecked Sendable {
    public enum Variant: Int, Sendable, CaseIterable {
        case portable = 0, avx2 = 1, avx512 = 2
    }

    public let variant: Variant
    /// The same as C passes them on.
    let table: UnsafePointer<fk_kernels>
    let dot: @convention(c) (UnsafePointer<Float>?, UnsafePointer<Float>?, Int) -> Float
    let add: @convention(c) (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Float, Int) -> Void
    let pass: @convention(c) (
        UnsafeMutablePointer<fk_pass>?, UnsafePointer<fk_settings>?, UnsafeMutablePointer<fk_item>?, Int, Int) -> Void
    let pairs: @convention(c) (
        UnsafeMutablePointer<fk_pass>?, UnsafePointer<fk_settings>?, UnsafeMutablePointer<fk_item>?, Int, Int) -> Void
    let take: @convention(c) (UnsafeMutablePointer<fk_batch>?, UnsafePointer<fk_source>?, Int, Int) -> Int
    let takeOne: @convention(c) (UnsafeMutablePointer<fk_batch>?, UnsafePointer<fk_source>?, UnsafePointer<fk_record>?, Float, Float) -> Void
    let settle: @convention(c) (
        UnsafeMutablePointer<fk_batch>?, UnsafePointer<fk_source>?, UnsafePointer<fk_lists>?, CInt, UnsafeMutablePointer<fk_settling>?, Int,
        Int, Int) -> Void
    let lookUp: @convention(c) (UnsafeMutablePointer<fk_batch>?, UnsafePointer<fk_source>?, Int, Int) -> Void
    let train: @convention(c) (
        UnsafeMutablePointer<fk_run>?, UnsafePointer<fk_settings>?, UnsafePointer<fk_batch>?, Int, Int) -> Void
    let count: @convention(c) (
        UnsafeMutablePointer<fk_tally>?, UnsafePointer<fk_batch>?, Int, Int, UnsafeMutablePointer<Int>?, UnsafePointer<Float>?) -> Int
    let witness: @convention(c) (
        UnsafeMutablePointer<UInt64>?, UnsafeMutablePointer<UInt64>?, UnsafePointer<fk_record>?, Int, Int, Int) -> Void
    let softplus: @convention(c) (UnsafePointer<Float>?, Int, UnsafeMutablePointer<Float>?) -> Void
    let step: @convention(c) (
        UnsafeMutablePointer<Float>?, UnsafeMutablePointer<Float>?, UnsafeMutablePointer<fk_row_state>?, fk_linear,
        UnsafePointer<Float>?, UnsafePointer<Float>?, Float, Float, Float, UnsafePointer<fk_side>?,
        UnsafePointer<fk_settings>?, Int, UnsafeMutablePointer<UInt32>?) -> Void
    let scoreRows: @convention(c) (
        UnsafePointer<Float>?, Float, UnsafePointer<Float>?, UnsafePointer<fk_row_state>?, Int, Int, Int,
        UnsafeMutablePointer<Float>?) -> Void
    let scoreBfloats: @convention(c) (
        UnsafePointer<Float>?, Float, UnsafePointer<fk_bfloat>?, UnsafePointer<fk_row_state>?, Int, Int, Int,
        UnsafeMutablePointer<Float>?) -> Void
    let widen: @convention(c) (UnsafeMutablePointer<Float>?, UnsafePointer<fk_bfloat>?, Int) -> Void
    let narrow: @convention(c) (UnsafeMutablePointer<fk_bfloat>?, UnsafePointer<Float>?, Int, UInt64) -> Void
    let copy: @convention(c) (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Int) -> Void
    let product: @convention(c) (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?, Int) -> Void
    let rankOne: @convention(c) (UnsafeMutablePointer<Float>?, Float, UnsafePointer<Float>?, Float, Int) -> Void
    let rankTwo: @convention(c) (UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, UnsafePointer<Float>?, Int) -> Void
    let solve: @convention(c) (
        UnsafeMutablePointer<Float>?, UnsafePointer<Float>?, Float, CInt, Float, UnsafeMutablePointer<Float>?, Int) -> Void

    /// The kernels of `variant`, or nil where this processor lacks it.
    public init?(_ variant: Variant) {
        guard let table = fk_kernels_for(CInt(variant.rawValue)) else { return nil }
        self.variant = variant
        self.table = table
        dot = table.pointee.dot
        add = table.pointee.add
        pass = table.pointee.pass
        pairs = table.pointee.pairs
        take = table.pointee.take
        takeOne = table.pointee.take_one
        settle = table.pointee.settle
        lookUp = table.pointee.look_up
        train = table.pointee.train
        count = table.pointee.count
        witness = table.pointee.witness
        softplus = table.pointee.softplus
        step = table.pointee.step
        scoreRows = table.pointee.score_rows
        scoreBfloats = table.pointee.score_bfloats
        widen = table.pointee.widen
        narrow = table.pointee.narrow
        copy = table.pointee.copy
        product = table.pointee.product
        rankOne = table.pointee.rank_one
        rankTwo = table.pointee.rank_two
        solve = table.pointee.solve
    }

    /// The widest set that this processor has.
    public static let best: Kernels = Variant.allCases.reversed().lazy.compactMap { Kernels($0) }.first!
}
