using System.Text.RegularExpressions;
using Cube.Tests.Systems;

namespace Cube.Tests.Repository;

/// <summary>Each claim of <c>docs/security.md</c> is a row of a table whose last column names the tests of the claim.</summary>
public sealed partial class SecurityClaimsTests
{
    private static readonly string[] _testProjects = ["Cube.Tests", "Cube.AppHost.Tests"];

    [Fact]
    public void Every_claim_names_tests_that_exist()
    {
        var tests = Tests();
        var claims = Claims().ToList();
        Assert.True(claims.Count > 30, $"Only {claims.Count} claims were found. The format of the tables has changed.");
        Assert.Multiple([.. claims.Select(claim => (Action)(() => AssertTested(claim.Claim, claim.Names, tests)))]);
    }

    private static void AssertTested(string claim, string[] names, HashSet<string> tests)
    {
        Assert.True(names.Length > 0, $"No test is named for: {claim}");
        Assert.All(names, name => Assert.True(tests.Contains(name), $"{name}, named for \"{claim}\", is not a test."));
    }

    private static IEnumerable<(string Claim, string[] Names)> Claims()
    {
        foreach (var line in File.ReadLines(Path.Combine(TestFiles.Root, "docs", "security.md")).Where(static line => line.StartsWith("| ", StringComparison.Ordinal)))
        {
            var cells = line.Trim('|', ' ').Split(" | ");
            if (cells[^1] != "Tests")
            {
                yield return (cells[0], [.. Name().Matches(cells[^1]).Select(static match => match.Groups[1].Value)]);
            }
        }
    }

    /// <summary>Classes with at least one test, as <c>Class</c>, and their tests, as <c>Class.Method</c>.</summary>
    private static HashSet<string> Tests()
    {
        var tests = new HashSet<string>(StringComparer.Ordinal);
        foreach (var file in _testProjects.SelectMany(static project => Directory.EnumerateFiles(Path.Combine(TestFiles.Root, project), "*Tests*.cs", SearchOption.AllDirectories)))
        {
            var type = Path.GetFileName(file).Split('.')[0];
            foreach (Match method in Method().Matches(File.ReadAllText(file)))
            {
                tests.Add(type);
                tests.Add($"{type}.{method.Groups[1].Value}");
            }
        }

        return tests;
    }

    [GeneratedRegex("`([A-Za-z0-9_.]+)`")]
    private static partial Regex Name();

    /// <summary>A method directly below an attribute of a test.</summary>
    [GeneratedRegex(@"\[(?:Full)?(?:Fact|Theory)\b[^\n]*\n(?:\s*\[[^\n]*\n)*\s*public (?:static )?(?:async )?(?:Task|void) (\w+)\(")]
    private static partial Regex Method();
}
