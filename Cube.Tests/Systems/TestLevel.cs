namespace Cube.Tests.Systems;

/// <summary>
/// The test level from <c>CUBE_TEST_LEVEL</c>: <c>quick</c> is the default; <c>full</c> adds the exhaustive tests.
/// </summary>
public static class TestLevel
{
    public const string Variable = "CUBE_TEST_LEVEL";

    /// <summary>The reason for skipping a test of the full level at the quick level.</summary>
    public const string Skipped = $"Runs with {Variable}=full only.";

    private static readonly string _name = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given ? given : "quick";

    /// <exception cref="InvalidOperationException">The variable has an unknown value.</exception>
    public static bool IsFull => IsFullNamed(_name);

    /// <summary>A sample size, a number of rounds or a set of cases, by level.</summary>
    public static T Pick<T>(T quick, T full) => IsFull ? full : quick;

    internal static bool IsFullNamed(string name) => name switch
    {
        "quick" => false,
        "full" => true,
        _ => throw new InvalidOperationException($"{Variable} can be quick or full, not \"{name}\"."),
    };
}
