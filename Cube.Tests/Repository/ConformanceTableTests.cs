using System.Reflection;

namespace Cube.Tests.Repository;

/// <summary>Each row of the conformance table, which describes the behavior that clients rely on, has a test with the row's id as its trait.</summary>
public sealed class ConformanceTableTests
{
    private const string Trait = "Conformance";

    private static readonly (string Family, int Rows)[] _table =
        [("HP", 16), ("ST", 20), ("CA", 5), ("TL", 7), ("SO", 4), ("VI", 4), ("EM", 6), ("MD", 6), ("US", 2), ("ER", 16), ("AU", 10), ("TN", 11), ("SD", 6)];

    // SD-05 is about the Python SDK, which these tests do not use.
    private static readonly string[] _rows =
        [.. _table.SelectMany(static family => Enumerable.Range(1, family.Rows).Select(row => $"{family.Family}-{row:00}")).Where(static id => id != "SD-05")];

    [Fact]
    public void Every_row_has_a_test_with_its_id() => Assert.Empty(_rows.Except(Marked().Select(static marked => marked.Id)));

    [Fact]
    public void Every_id_on_a_test_is_a_row() => Assert.DoesNotContain(Marked(), static marked => !_rows.Contains(marked.Id));

    private static IEnumerable<(MethodInfo Method, string Id)> Marked() =>
        from type in typeof(ConformanceTableTests).Assembly.GetTypes()
        from method in type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.Static | BindingFlags.DeclaredOnly)
        where method.GetCustomAttributes<FactAttribute>().Any()
        from trait in method.GetCustomAttributes<TraitAttribute>()
        where trait.Name == Trait
        select (method, trait.Value);
}
