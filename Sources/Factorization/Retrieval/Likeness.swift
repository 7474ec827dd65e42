import CKernels

/// How alike two items are, or two users: the cosine of their folded vectors.
///
/// * An item's vector is z, what the query meets: its row, or what the kind makes of it and the rows of its attributes (their
///   sum; of `hofm` the sums of all orders, without products of attributes).
/// * A user's vector is what the user's own row and attributes bring into the query: query − query of nobody. So it lies in
///   the space of the items' vectors, for every kind (`bilinear`: Wᵀp; `ffm`: the blocks that meet an item). Context and history
///   are left out: they are of a moment, and folding them would cost some twenty rows for each user compared.
///
/// Scratch of one scorer; reads rows, writes none.
final class Likeness {
    let model: Model
    let itemSide: ItemSide
    private let userSide: UserSide
    private let row: UnsafeMutablePointer<Float>
    private let nobody: UnsafeMutablePointer<Float>
    /// The vector that others are compared with.
    let wanted: UnsafeMutablePointer<Float>

    init(model: Model) {
        self.model = model
        itemSide = ItemSide(model: model)
        userSide = UserSide(model: model)
        row = Parameters.floats(max(model.width, model.layout.sideWidth))
        nobody = Parameters.floats(model.width)
        wanted = Parameters.floats(model.width)
    }

    deinit { for vector in [row, nobody, wanted] { vector.deallocate() } }

    /// Starts the item's side of an item as a request names it.
    func start(_ item: RequestedItem) {
        if item.ordinal == Placement.none {
            itemSide.start(item.attributes)
        } else {
            itemSide.start(item.ordinal, ItemSide.attributes(model, item.ordinal))
        }
    }

    /// z of an item; valid until the next item's.
    func itemVector(_ item: RequestedItem) -> UnsafePointer<Float> {
        if item.ordinal != Placement.none, ItemSide.attributes(model, item.ordinal) == nil {
            return UnsafePointer(model.items.read(item.ordinal, count: model.width, row, model.kernels))
        }
        start(item)
        _ = itemSide.fold()
        return UnsafePointer(itemSide.z)
    }

    /// Takes the query of nobody, from which users' vectors are measured.
    func prepareUsers() {
        userSide.start([], items: [], row: nil)
        _ = userSide.fold()
        nobody.update(from: userSide.query, count: model.width)
    }

    /// A user's vector; valid until the next one's.
    func userVector(_ user: UInt32) -> UnsafePointer<Float> {
        let factors = model.users.read(user, count: model.layout.sideWidth, row, model.kernels)
        var attributes: [(ordinal: UInt32, weight: Float)] = []
        if model.attributes.users.has(user), let list = model.attributes.users[user] {
            for index in 0..<list.count { attributes.append((list[index].ordinal, list[index].weight)) }
        }
        return userVector(attributes, StrayRow(factors: factors, state: model.users.state(user)))
    }

    /// The vector of somebody with these attributes and this row.
    func userVector(_ attributes: [(ordinal: UInt32, weight: Float)], _ row: StrayRow?) -> UnsafePointer<Float> {
        userSide.start(attributes, items: [], row: row)
        _ = userSide.fold()
        model.kernels.add(userSide.query, nobody, -1, model.width)
        return UnsafePointer(userSide.query)
    }

    func norm(_ vector: UnsafePointer<Float>) -> Float { model.kernels.dot(vector, vector, model.width).squareRoot() }

    /// The cosine of a vector of norm `size` and another; nil where one of them is zero or not finite.
    @inline(__always)
    func likeness(_ vector: UnsafePointer<Float>, _ size: Float, _ other: UnsafePointer<Float>) -> Float? {
        let product = size * norm(other)
        guard product > 0, product.isFinite else { return nil }
        return model.kernels.dot(vector, other, model.width) / product
    }
}
