/// Numbers for people: short, with units last.
public enum Quantity {
    /// `1,234,567`
    public static func grouped(_ number: Int) -> String {
        let digits = String(number.magnitude)
        var result = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { result.append(",") }
            result.append(digit)
        }
        return result
    }

    /// Three significant digits with a decimal prefix: `950`, `1.23 M`, `45.6 k`.
    public static func short(_ number: Double) -> String {
        guard number.isFinite else { return "–" }
        for (unit, name) in [(1e12, " T"), (1e9, " G"), (1e6, " M"), (1e3, " k")] where number.magnitude >= unit * 0.9995 {
            return significant(number / unit) + name
        }
        return significant(number)
    }

    /// `512 B`, `1.5 MiB`
    public static func bytes(_ count: Int) -> String {
        let number = Double(count)
        for (unit, name) in [(0x1p40, " TiB"), (0x1p30, " GiB"), (0x1p20, " MiB"), (0x1p10, " KiB")] where number >= unit {
            return significant(number / unit) + name
        }
        return "\(count) B"
    }

    /// `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`, `3 d 04 h`
    public static func duration(seconds: Double) -> String {
        guard seconds.isFinite, seconds >= 0, seconds < 1e12 else { return "–" }
        if seconds < 10 { return "\(fixed(seconds, 1)) s" }
        let whole = Int(seconds.rounded())
        func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }
        if whole < 60 { return "\(whole) s" }
        if whole < 3600 { return "\(whole / 60) min \(two(whole % 60)) s" }
        if whole < 86_400 { return "\(whole / 3600) h \(two(whole / 60 % 60)) min" }
        return "\(whole / 86_400) d \(two(whole / 3600 % 24)) h"
    }

    /// `34 µs`, `1.06 ms`, `2.50 s`
    public static func latency(microseconds: Double) -> String {
        guard microseconds.isFinite, microseconds >= 0 else { return "–" }
        if microseconds >= 999_500 { return significant(microseconds / 1e6) + " s" }
        if microseconds >= 999.5 { return significant(microseconds / 1e3) + " ms" }
        return significant(microseconds) + " µs"
    }

    /// A number with a given count of decimals, rounded half away from zero.
    public static func fixed(_ number: Double, _ decimals: Int) -> String {
        guard number.isFinite else { return "–" }
        var scale = 1.0
        for _ in 0..<decimals { scale *= 10 }
        let scaled = (number.magnitude * scale).rounded()
        guard scaled < 1e18 else { return "\(number)" }
        let whole = Int64(scaled)
        let sign = number < 0 && whole != 0 ? "-" : ""
        guard decimals > 0 else { return sign + String(whole) }
        let digits = String(whole)
        let padded = String(repeating: "0", count: max(0, decimals + 1 - digits.count)) + digits
        return sign + padded.dropLast(decimals) + "." + padded.suffix(decimals)
    }

    /// A number of any size in few characters: `0.0123`, `12.3`, `4.56e-12`, `1.23e7`.
    public static func scientific(_ number: Double, digits: Int = 3) -> String {
        guard number.isFinite else { return "–" }
        guard number != 0 else { return "0" }
        var exponent = 0, mantissa = number.magnitude
        while mantissa >= 10 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
        while mantissa < 1 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
        // Rounding may carry: 9.996 is 10.0.
        if Double(fixed(mantissa, digits - 1))! >= 10 { (mantissa, exponent) = (1, exponent + 1) }
        let sign = number < 0 ? "-" : ""
        if (-3..<6).contains(exponent) { return sign + fixed(number.magnitude, max(0, digits - 1 - exponent)) }
        return "\(sign)\(fixed(mantissa, digits - 1))e\(exponent)"
    }

    private static func significant(_ number: Double) -> String {
        let size = number.magnitude
        if size >= 99.95 || size == size.rounded() { return fixed(number, 0) }
        return fixed(number, size >= 9.995 ? 1 : 2)
    }
}
