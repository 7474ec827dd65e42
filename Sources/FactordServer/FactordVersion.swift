/// Of the programs of this package, as packages and `factord_build_info` name it.
public let factordVersion = "0.7.0"
