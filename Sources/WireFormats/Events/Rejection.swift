/// Why a record was set aside. The raw value is the stable name that counters and dead letters show.
public enum RejectionReason: String, Sendable, CaseIterable {
    /// The text is not JSON.
    case malformedJSON = "malformed_json"
    /// The message has no body, or nothing but white space.
    case emptyMessage = "empty_message"
    /// JSON nested deeper than the limit.
    case tooDeep = "too_deep"
    /// A message over the byte limit, or a record that does not fit an empty batch.
    case tooLarge = "too_large"
    /// Something else where a record, an object, is due.
    case notAnObject = "not_an_object"
    case missingUser = "missing_user"
    case missingItem = "missing_item"
    /// Neither a string of 1 to 1024 bytes nor an integer.
    case badUser = "bad_user"
    case badItem = "bad_item"
    /// Not a string of 1 to 128 bytes.
    case badType = "bad_type"
    /// Not a finite number of magnitude up to 1e9.
    case badValue = "bad_value"
    /// Not a number from 0 to 1e6.
    case badWeight = "bad_weight"
    /// Neither RFC 3339 text nor unix seconds or milliseconds up to the year 9999.
    case badTime = "bad_time"
    /// A context that is not of the form field → value, list of values, or value → weight.
    case badContext = "bad_context"
    /// An entity record without a good `entity` or `id`.
    case badEntity = "bad_entity"
    /// Attributes that are missing or not of the form of a context.
    case badAttributes = "bad_attributes"
    /// More context features or attributes than the limit.
    case tooManyFeatures = "too_many_features"
    /// A `hide`, `unhide`, `forget` or `undo` of wrong form.
    case badCommand = "bad_command"
    /// A `beat` of wrong form, or one among other records.
    case badBeat = "bad_beat"
    /// A `source`, `epoch` or `seq` of wrong type; refuses the whole message.
    case badNumbering = "bad_numbering"
    /// A columnar header of wrong form; refuses the whole message.
    case badHeader = "bad_header"
    /// A column whose name, dtype, frame size or offsets are wrong; refuses the whole message.
    case badColumn = "bad_column"
    /// Too few or too many frames; refuses the whole message.
    case badFrames = "bad_frames"

    /// Position in `allCases`; the index of the decoder's counters.
    public var ordinal: Int { RejectionReason.ordinals[self]! }
    private static let ordinals = Dictionary(uniqueKeysWithValues: allCases.enumerated().map { ($1, $0) })
}

/// A record (or a whole message) that was set aside.
public struct Rejection: Sendable {
    public let reason: RejectionReason
    /// What is wrong, naming the key or column.
    public let detail: String
    /// Which record of the message, from 0.
    public let record: Int
    /// The record's bytes in the body frame; of a columnar batch, its header.
    public let bodyRange: Range<Int>
}

/// How a decoding step ended, where it did not fill its result. Thrown inside the decoder only.
enum DecodeFailure: Error {
    /// The batch is full: take back the record and go on in the next batch.
    case full
    /// The record is bad. The detail is built only when it will be kept.
    case rejected(RejectionReason, StaticString)
}
