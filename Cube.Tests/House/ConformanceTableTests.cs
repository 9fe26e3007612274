using System.Reflection;
using System.Text.RegularExpressions;

namespace Cube.Tests.House;

/// <summary>Each row of the table that clients' behaviour was taken from has a test whose name has the row's id.</summary>
public sealed partial class ConformanceTableTests
{
    private static readonly (string Family, int Rows)[] _table =
        [("HP", 16), ("ST", 20), ("CA", 5), ("TL", 7), ("SO", 4), ("VI", 4), ("EM", 6), ("MD", 6), ("US", 2), ("ER", 16), ("AU", 10), ("TN", 11), ("SD", 6)];

    [Fact]
    public void Every_row_has_a_test_of_its_id()
    {
        var named = typeof(ConformanceTableTests).Assembly.GetTypes().SelectMany(static type => type.GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            .Where(static method => method.GetCustomAttributes<FactAttribute>().Any()).SelectMany(static method => Ids(method.Name)).ToHashSet();
        // An SDK of Python has no place in these tests.
        var rows = _table.SelectMany(static family => Enumerable.Range(1, family.Rows).Select(row => $"{family.Family}-{row:00}")).Where(static id => id != "SD-05");
        Assert.Empty(rows.Except(named));
    }

    /// <summary><c>HP_03_04_TN_06_what_is_told</c> is HP-03, HP-04 and TN-06.</summary>
    private static IEnumerable<string> Ids(string name)
    {
        var family = "";
        foreach (var part in name.Split('_'))
        {
            if (Row().IsMatch(part) && family.Length > 0)
            {
                yield return $"{family}-{part}";
            }
            else
            {
                family = Array.Exists(_table, entry => entry.Family == part) ? part : "";
            }
        }
    }

    [GeneratedRegex(@"\A[0-9]{2}\z")]
    private static partial Regex Row();
}
