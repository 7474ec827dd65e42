import Factorization
import LinearAlgebra
import StreamTools

/// A model as a whole: how many numbers it has, what its tables are like as matrices, and what popularity does to its rows.
struct ModelReport {
    private let settings: ModelSettings
    private let size: ModelInspection
    private let groups: [FactorGroup]
    private let spectra: [FactorSpectrum]
    private let norms: [PopularityNorms]

    init(_ engine: Engine, model number: Int) throws {
        BLAS.limitThreads(1)
        try BLAS.check()
        settings = engine.models[number].settings
        size = Scorer(engine: engine).inspect(model: number)
        groups = engine.factorGroups(model: number)
        var spectra = try groups.filter { $0.rank > 0 && !$0.ids.isEmpty }.map { group throws(LinearAlgebraError) in try FactorSpectrum(group) }
        let users = groups.first { $0.name == "users" }, items = groups.first { $0.name == "items" }
        // Other kinds' scores are not this product.
        if settings.kind == .mf, let users, let items, !users.ids.isEmpty, !items.ids.isEmpty { spectra.append(try FactorSpectrum.product(users, items)) }
        self.spectra = spectra
        norms = [(users, engine.users), (items, engine.items)].compactMap { group, table in
            group.flatMap { group in
                let popularity = (0..<UInt32(table.count)).filter { !table.isHole($0) }.map { Double(table.frequency($0)) }
                return group.ids.isEmpty ? nil : PopularityNorms(group, popularity: popularity)
            }
        }
    }

    // MARK: Counts

    /// The number of coefficients by MODELS' formula of this kind, where all rows are users and items; nil where a row's length is
    /// the kind's own.
    private var formula: (text: String, value: Double)? {
        let users = Double(size.users), items = Double(size.items), k = Double(settings.rank)
        switch settings.kind {
        case .mf where settings.unobserved == .regularized: return ("(n_u + n_i) k", (users + items) * k)
        case .mf, .fm: return ("1 + (n_u + n_i)(1 + k)", 1 + (users + items) * (1 + k))
        case .gfm: return ("1 + (n_u + n_i)(1 + 2k)", 1 + (users + items) * (1 + 2 * k))
        case .bilinear: return ("1 + (n_u + n_i + 2 + k) k", 1 + (users + items + 2 + k) * k)
        case .hofm, .ffm: return nil
        }
    }

    // MARK: Shown

    var tree: JSONTree {
        [
            "model": .string(settings.name), "kind": .string(settings.kind.rawValue), "rank": .integer(Int64(settings.rank)),
            "users": .integer(Int64(size.users)), "items": .integer(Int64(size.items)), "parameters": .integer(Int64(size.parameters)),
            "formula": formula.map { .string($0.text) } ?? .null, "by_formula": JSONTree(optional: formula?.value),
            "saturated": .number(size.saturated), "spectra": .array(spectra.map(\.tree)), "norms": .array(norms.map(\.tree)),
        ]
    }

    var rendered: String {
        var blocks: [String] = []
        var counts = TextTable(["\(settings.name), \(settings.kind.rawValue), rank \(settings.rank)", ""], [.left, .right])
        counts.add(["users n_u, items n_i", "\(Quantity.grouped(size.users)), \(Quantity.grouped(size.items))"])
        counts.add(["numbers that are learned", Quantity.grouped(size.parameters)])
        if let formula { counts.add(["of users and items alone, \(formula.text)", Quantity.grouped(Int(formula.value))]) }
        counts.add(["saturated model, 1 + n_u + n_i + n_u n_i", Quantity.grouped(Int(min(size.saturated, 9e18)))])
        blocks.append(counts.rendered())
        var table = TextTable(
            ["factors", "rows", "effective rank", "stable rank", "90 % in", "99 % in", "largest singular values"], [.left, .right, .right, .right, .right, .right, .left])
        for spectrum in spectra {
            table.add([
                spectrum.name, Quantity.grouped(spectrum.rows), Quantity.fixed(spectrum.effectiveRank, 1), Quantity.fixed(spectrum.stableRank, 1),
                "\(spectrum.directions(holding: 0.9))", "\(spectrum.directions(holding: 0.99))",
                spectrum.singularValues.prefix(6).map { Quantity.scientific($0) }.joined(separator: " "),
            ])
        }
        if !spectra.isEmpty { blocks.append(table.rendered()) }
        for side in norms {
            var table = TextTable(["\(side.name), rarest tenth first", "ids", "events an id", "‖factors‖", "weight"], [.left, .right, .right, .right, .right])
            for (number, tenth) in side.tenths.enumerated() {
                table.add([
                    "\(number + 1)", Quantity.grouped(tenth.ids), Quantity.fixed(tenth.events, 1), Quantity.fixed(tenth.norm, 3),
                    tenth.weight.map { Quantity.fixed($0, 3) } ?? "",
                ])
            }
            blocks.append(table.rendered())
        }
        return blocks.joined(separator: "\n")
    }

    /// Singular values, and norms by popularity.
    var plots: [(name: String, plot: LinePlot)] {
        let lines = spectra.map { spectrum in
            LinePlot.Line(spectrum.name, spectrum.singularValues.enumerated().filter { $1 > 0 }.map { (x: Double($0 + 1), y: $1) })
        }
        let curves = norms.map { side in LinePlot.Line(side.name, side.tenths.enumerated().map { (x: Double($0 + 1), y: $1.norm) }) }
        return [
            ("spectrum", LinePlot("Singular values of \(settings.name)", x: ("number", .linear), y: ("σ", .logarithmic), lines)),
            ("norms", LinePlot("Size of rows by popularity", x: ("tenth, rarest first", .linear), y: ("‖factors‖", .linear), curves)),
        ]
    }
}
