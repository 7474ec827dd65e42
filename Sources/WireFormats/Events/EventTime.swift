/// Times of events, in milliseconds since 1970.
public enum EventTime {
    /// From this magnitude on a number means milliseconds, below it seconds (1e11 seconds is the year 5138, 1e11
    /// milliseconds is March 1973).
    public static let millisecondsFrom = 1e11
    /// The last millisecond of the year 9999; anything beyond is no time (it may be micro- or nanoseconds).
    public static let greatest: Int64 = 253_402_300_799_999

    /// Unix seconds or milliseconds; fractions of a millisecond are dropped (rounded down).
    public static func milliseconds(_ number: Double) -> Int64? {
        guard number.isFinite else { return nil }
        let scaled = number.magnitude >= millisecondsFrom ? number : number * 1000
        guard scaled.magnitude <= Double(greatest) else { return nil }
        return Int64(scaled.rounded(.down))
    }

    /// Unix seconds or milliseconds.
    public static func milliseconds(_ number: Int64) -> Int64? {
        if number.magnitude < UInt64(millisecondsFrom) { return number * 1000 }
        return number.magnitude <= UInt64(greatest) ? number : nil
    }

    /// RFC 3339 text: `2024-02-29T12:00:00Z`, with optional fraction and an offset such as `+02:00`. A `T` or `t` or a blank
    /// separates date and time; a leap second counts as the second after it. Digits past milliseconds are dropped.
    public static func milliseconds(rfc3339 text: UnsafeRawBufferPointer) -> Int64? {
        guard text.count >= 20, text.count <= 64 else { return nil }
        guard let year = digits(text, 0, 4), text[4] == 0x2D, let month = digits(text, 5, 2), text[7] == 0x2D,
            let day = digits(text, 8, 2), text[10] | 0x20 == 0x74 || text[10] == 0x20,
            let hour = digits(text, 11, 2), text[13] == 0x3A, let minute = digits(text, 14, 2), text[16] == 0x3A,
            let second = digits(text, 17, 2)
        else { return nil }
        guard month >= 1, month <= 12, day >= 1, day <= daysInMonth(year, month), hour <= 23, minute <= 59, second <= 60 else {
            return nil
        }
        var index = 19
        var fraction = 0
        if text[index] == 0x2E {
            index += 1
            let start = index
            var scale = 100
            while index < text.count, text[index] &- 0x30 <= 9 {
                fraction += Int(text[index] - 0x30) * scale
                scale /= 10
                index += 1
            }
            guard index > start else { return nil }
        }
        guard index < text.count, let offset = zone(text, index) else { return nil }
        let seconds = daysSince1970(year, month, day) * 86400 + (hour * 60 + minute - offset) * 60 + second
        let milliseconds = Int64(seconds * 1000 + fraction)
        return milliseconds.magnitude <= UInt64(greatest) ? milliseconds : nil
    }

    /// Minutes east of UTC, where the text ends with a zone.
    private static func zone(_ text: UnsafeRawBufferPointer, _ index: Int) -> Int? {
        if text[index] | 0x20 == 0x7A { return index + 1 == text.count ? 0 : nil }
        guard text[index] == 0x2B || text[index] == 0x2D, text.count == index + 6, text[index + 3] == 0x3A,
            let hours = digits(text, index + 1, 2), let minutes = digits(text, index + 4, 2), hours <= 23, minutes <= 59
        else { return nil }
        return (text[index] == 0x2D ? -1 : 1) * (hours * 60 + minutes)
    }

    private static func digits(_ text: UnsafeRawBufferPointer, _ start: Int, _ count: Int) -> Int? {
        var value = 0
        for index in start..<(start + count) {
            let digit = text[index] &- 0x30
            guard digit <= 9 else { return nil }
            value = value * 10 + Int(digit)
        }
        return value
    }

    private static func daysInMonth(_ year: Int, _ month: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 in the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}
