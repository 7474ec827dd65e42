import StreamTools
import Testing

@Suite("Plots and pages")
struct PlotTests {
    @Test("Numbers of any size", arguments: [
        (0, "0"), (1, "1.00"), (0.0123, "0.0123"), (12.34, "12.3"), (-4.56e-12, "-4.56e-12"), (1.234e7, "1.23e7"), (9.9996, "10.0"),
        (0.00099996, "0.00100"), (123_456, "123456"), (.infinity, "–"), (.nan, "–"),
    ])
    func scientific(_ number: Double, text: String) {
        #expect(Quantity.scientific(number) == text)
    }

    @Test("A line goes through its points, a logarithmic axis leaves out what it does not have")
    func line() {
        let plot = LinePlot(
            "a < b", x: ("x", .linear), y: ("y", .logarithmic), [.init("one", [(0, 1), (5, 100), (10, 10_000), (3, 0), (4, -1), (6, .nan)])])
        let svg = plot.svg()
        #expect(svg.contains("a &lt; b") && svg.hasSuffix("</svg>\n"))
        // From the lower left over the middle to the upper right corner.
        #expect(svg.contains("points=\"78.0,304.0 328.0,169.0 578.0,34.0\""))
        #expect(svg.contains(">10000</text>") && !svg.contains("nan"))
    }

    @Test("A tick below any that a linear axis would show keeps its name on a logarithmic one")
    func smallTicks() {
        let svg = LinePlot("t", x: ("x", .linear), y: ("y", .logarithmic), [.init("one", [(0, 1e-12), (1, 1)])]).svg()
        #expect(svg.contains(">1e-12</text>") && svg.contains(">1</text>"))
    }

    @Test("A plot without points, and of one point, is a picture all the same")
    func nothing() {
        for points in [[], [(x: 2.0, y: 2.0)]] {
            for scale in [LinePlot.Scale.linear, .logarithmic] {
                let svg = LinePlot("t", x: ("x", scale), y: ("y", scale), [.init("one", points)], marks: [.init(x: 2, name: "here")]).svg()
                #expect(svg.contains("here") && !svg.contains("nan") && !svg.contains("inf"))
            }
        }
    }

    @Test("A page says its title in the text's own signs")
    func page() {
        let page = HTMLPage.page(title: "R & D", body: "<p>\(HTMLPage.escaped("<\"&>"))</p>")
        #expect(page.contains("<title>R &amp; D</title>") && page.contains("<p>&lt;&quot;&amp;&gt;</p>"))
    }
}
