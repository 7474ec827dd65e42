/// Hears how many bytes of a file or directory were read, and how many there are; often, so it must be cheap.
public typealias ReadProgress = (_ read: UInt64, _ total: UInt64) -> Void
