using Cube.Tests.Systems;

namespace Cube.Tests.Repository;

/// <summary>Rules of the repository that the compiler does not check.</summary>
public sealed class RepositoryTests
{
    private static readonly string[] Skipped = ["artifacts", "node_modules", ".git", "bin", "obj", ".cube"];

    private static IEnumerable<string> Files(string pattern) => Directory
        .EnumerateFiles(TestFiles.Root, pattern, SearchOption.AllDirectories)
        .Where(static path => !Path.GetRelativePath(TestFiles.Root, path).Split(Path.DirectorySeparatorChar).Any(Skipped.Contains));

    [Fact]
    public void No_source_file_is_longer_than_400_lines() =>
        Assert.DoesNotContain(Files("*.cs"), static file => File.ReadLines(file).Count() > 400);

    [Fact]
    public void The_readme_has_fewer_than_150_lines() => Assert.True(File.ReadLines(Path.Combine(TestFiles.Root, "README.md")).Count() < 150);

    [Fact]
    public void Every_package_reference_has_a_reason()
    {
        var reasoned = false;
        foreach (var line in File.ReadLines(Path.Combine(TestFiles.Root, "Directory.Packages.props")).Select(static line => line.Trim()))
        {
            Assert.True(reasoned || !line.StartsWith("<PackageVersion", StringComparison.Ordinal), line);
            // One comment can apply to several packages.
            reasoned = line.StartsWith("<!--", StringComparison.Ordinal) || (reasoned && line.StartsWith("<PackageVersion", StringComparison.Ordinal));
        }
    }
}
