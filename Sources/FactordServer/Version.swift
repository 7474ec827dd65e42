/// The version of factord: that of the newest entry in Deploy/debian/changelog.
public enum FactordVersion {
    public static let text = "0.1.0"
}
