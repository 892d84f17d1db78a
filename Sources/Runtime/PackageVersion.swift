/// The version of this package, for files and reports.
public enum PackageVersion {
  /// As in CHANGELOG.md.
  public static let current = "0.1.0"
}
