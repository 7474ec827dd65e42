import Factorization
import Testing
import WireFormats

@Suite struct ExpressionTests {
    private func parse(_ text: String, _ policy: IdPolicy = .canonical) throws(ExpressionError) -> AttributeExpression {
        let bytes = Array(text.utf8)
        let result: Result<AttributeExpression, ExpressionError> = bytes.withUnsafeBytes { raw in
            do throws(ExpressionError) {
                return .success(try AttributeExpression(parsing: raw, policy: policy))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func test(_ field: String, _ relation: AttributeTest.Relation) -> AttributeExpression { .test(AttributeTest(field: field, relation)) }

    @Test func everyForm() throws {
        let sold = test("sold_out", .isTrue), price = test("price", .compares(.less, .integer(50)))
        let brands = test("brand", .isIn([.text("a"), .text("b c")]))
        let cases: [(String, AttributeExpression)] = [
            (#"brand in [a, "b c"] and price < 50 and not sold_out"#, .and(.and(brands, price), .not(sold))),
            ("brand in[a,'b c']and price<50", .and(brands, price)),
            ("sold_out or price < 50 and brand in [a, 'b c']", .or(sold, .and(price, brands))),
            ("(sold_out or price < 50) and not (sold_out)", .and(.or(sold, price), .not(sold))),
            ("not not sold_out", .not(.not(sold))),
            ("has price", test("price", .exists)),
            (#"has "in stock""#, test("in stock", .exists)),
            ("'not' = true", test("not", .equals(.text("true")))),
            (#"a = "say \"hi\" \\ 'so'""#, test("a", .equals(.text(#"say "hi" \ 'so'"#)))),
            ("größe != süß", test("größe", .differs(.text("süß")))),
            ("a:b/c-d.e >= -2.5e1", test("a:b/c-d.e", .compares(.atLeast, .number(-25)))),
            ("a <= 9223372036854775807", test("a", .compares(.atMost, .integer(.max)))),
            ("a > 9223372036854775808", test("a", .compares(.greater, .number(9223372036854775808)))),
            ("a = 007", test("a", .equals(.text("007")))),
            ("a = 3d", test("a", .equals(.text("3d")))),
            ("a = 1.0", test("a", .equals(.number(.number(1))))),
            ("a = '12'", test("a", .equals(.number(.integer(12))))),
            (" \n\ta\r", test("a", .isTrue)),
        ]
        for (text, expression) in cases {
            #expect(try parse(text) == expression, "\(text)")
            #expect(try parse(expression.text) == expression, "\(expression.text)")
        }
        #expect(try parse("a = '12'", .exact) == test("a", .equals(.text("12"))))
        #expect(try parse(test("a", .equals(.text("12"))).text, .exact) == test("a", .equals(.text("12"))))
    }

    @Test(arguments: [
        ("", 1, "a field, `has`, `not` or `(` is expected, found the end"), ("  ", 3, "found the end"),
        ("and a", 1, "a field, `has`, `not` or `(` is expected, found `and`"), ("a and", 6, "found the end"),
        ("a or or b", 6, "found `or`"), ("not", 4, "found the end"), ("has", 4, "a field after `has` is expected, found the end"),
        ("has in", 5, "a field after `has` is expected, found `in`"), ("a b", 3, "one of `= != < <= > >= in and or` is expected, found `b`"),
        ("a not in [b]", 3, "`not` stands before the field"), (#"a "b""#, 3, "found the text \"b\""), ("a =", 4, "a value is expected, found the end"),
        ("a == b", 4, "a value is expected, found `=`"), ("a = and", 5, "a value is expected, found `and`"),
        ("a < b", 5, "a number after `<` is expected, found `b`"), ("a >= '5'", 6, "a number after `>=` is expected, found the text \"5\""),
        ("a in b", 6, "`[` is expected, found `b`"), ("a in []", 7, "a value is expected, found `]`"), ("a in [b", 8, "`,` or `]` is expected, found the end"),
        ("a in [b c]", 9, "`,` or `]` is expected, found `c`"), ("a in [b,]", 9, "a value is expected"), ("(a", 3, "`and`, `or` or `)` is expected, found the end"),
        ("(a]", 3, "found `]`"), ("a)", 2, "`and`, `or` or the end is expected, found `)`"), ("a = b = c", 7, "`and`, `or` or the end is expected, found `=`"),
        ("a ! b", 3, "`!` stands only in `!=`"), ("a = \"b", 5, "has no closing quote"), ("a = 'b\\", 5, "has no closing quote"),
        (#"a = "\n""#, 7, "after `\\` only"), (#"a = \b"#, 5, "stands only between quotes"), ("a = \u{1}", 5, "a control character"),
        ("'' = 1", 1, "a field's name is 1 to 128 bytes long"), ("ü = ''", 5, "a value is 1 to 1024 bytes long"), ("ü ü", 3, "found `ü`"), ("[a]", 1, "found `[`"),
    ])
    func everyErrorNamesItsPlace(_ text: String, _ column: Int, _ detail: String) {
        do throws(ExpressionError) {
            let expression = try parse(text)
            Issue.record("\(text) is \(expression)")
        } catch {
            #expect(error.column == column && error.detail.contains(detail), "\(text): \(error)")
        }
    }

    @Test func boundsAreKept() throws {
        func refuses(_ text: String, _ detail: String) {
            #expect(throws: ExpressionError.self, "\(text.prefix(60))") { try parse(text) }
            do throws(ExpressionError) { _ = try parse(text) } catch { #expect(error.detail.contains(detail), "\(error)") }
        }
        _ = try parse(String(repeating: "(", count: 24) + "a" + String(repeating: ")", count: 24))
        refuses(String(repeating: "(", count: 25) + "a" + String(repeating: ")", count: 25), "nested deeper than 24")
        refuses(String(repeating: "not ", count: 25) + "a", "nested deeper than 24")
        refuses(String(repeating: "(", count: 8000), "nested deeper than 24")
        let many = { (count: Int) in (0..<count).map { "a\($0)" }.joined(separator: " or ") }
        _ = try parse(many(63) + " or a0")
        refuses(many(64), "more than 63 different tests")
        refuses(String(repeating: "x", count: 8193), "8193 bytes, the limit is 8192")
        refuses(String(repeating: "x", count: 129), "a field's name is 1 to 128 bytes long")
        refuses("a = " + String(repeating: "x", count: 1025), "a value is 1 to 1024 bytes long")
        // As deep as the program's stack: nested to the right in each of its levels.
        var deep = "a"
        for level in 0..<24 { deep = "b\(level) or c and (\(deep))" }
        _ = try parse(deep)
        _ = try parse(Array(repeating: "a", count: 1300).joined(separator: " and "))
    }

    @Test func randomExpressionsReadBackFromTheirText() throws {
        for seed in 0..<3000 {
            var dice = SystemDice(seed)
            let expression = random(&dice, depth: 4), policy: IdPolicy = seed % 2 == 0 ? .canonical : .exact
            #expect(try parse(expression.text, policy) == expression, "\(expression.text)")
        }
    }

    @Test func noTextBreaksTheParser() {
        let pieces = [
            "a", "b c", "and", "or", "not", "in", "has", "(", ")", "[", "]", ",", "=", "!=", "<", "<=", ">", ">=", "!", "\"", "'", "\\", "1", "-2.5", "1e400",
            "ü", "\u{0}", "\u{7F}", " ", "\t", "true",
        ]
        var read = 0
        for seed in 0..<20_000 {
            var dice = SystemDice(seed)
            let text = (0..<dice.below(12)).map { _ in pieces[dice.below(pieces.count)] }.joined(separator: dice.below(2) == 0 ? " " : "")
            do throws(ExpressionError) {
                let expression = try parse(text)
                read += 1
                #expect((try? parse(expression.text)) == expression, "\(text)")
            } catch {
                #expect((1...text.unicodeScalars.count + 1).contains(error.column), "\(text): \(error)")
            }
        }
        #expect(read > 100)
    }

    private struct SystemDice: RandomNumberGenerator {
        var state: UInt64
        init(_ seed: Int) { state = mix64(UInt64(seed)) }
        mutating func next() -> UInt64 {
            state = mix64(state)
            return state
        }
        mutating func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &self) }
    }

    private func random(_ dice: inout SystemDice, depth: Int) -> AttributeExpression {
        switch depth == 0 ? 0 : dice.below(5) {
        case 0, 1: test(text(&dice), relation(&dice))
        case 2: .not(random(&dice, depth: depth - 1))
        case 3: .and(random(&dice, depth: depth - 1), random(&dice, depth: depth - 1))
        default: .or(random(&dice, depth: depth - 1), random(&dice, depth: depth - 1))
        }
    }

    private func relation(_ dice: inout SystemDice) -> AttributeTest.Relation {
        switch dice.below(6) {
        case 0: .exists
        case 1: .isTrue
        case 2: .equals(value(&dice))
        case 3: .differs(value(&dice))
        case 4: .isIn((0..<1 + dice.below(4)).map { _ in value(&dice) })
        default: .compares(AttributeTest.Order.allCases[dice.below(4)], number(&dice))
        }
    }

    private func value(_ dice: inout SystemDice) -> AttributeValue { dice.below(2) == 0 ? .number(number(&dice)) : .text(text(&dice)) }

    private func number(_ dice: inout SystemDice) -> AttributeNumber {
        switch dice.below(4) {
        case 0: .integer(Int64(bitPattern: dice.next()))
        case 1: .integer([0, -1, .min, .max][dice.below(4)])
        case 2: .number(Double(sign: dice.below(2) == 0 ? .plus : .minus, exponent: dice.below(200) - 100, significand: 1 + Double(dice.below(1000)) / 1000))
        default: .number([0.1, Double.leastNonzeroMagnitude, Double.greatestFiniteMagnitude, 1, 2.5][dice.below(5)])
        }
    }

    private func text(_ dice: inout SystemDice) -> String {
        let letters = ["a", "b", "ü", "in", " ", "\"", "'", "\\", "=", "(", "[", ",", "!", "<", "not", "-", ".", "x1", "\n", "🎈"]
        return "t" + (0..<dice.below(5)).map { _ in letters[dice.below(letters.count)] }.joined()
    }
}
