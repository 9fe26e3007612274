namespace Cube.Tests.Systems;

/// <summary>
/// How much the tests try: <c>quick</c>, the default, for the command of the README; <c>full</c>, for the gate, adds the exhaustive part. <c>CUBE_TEST_LEVEL</c> chooses.
/// </summary>
public static class TestLevel
{
    public const string Variable = "CUBE_TEST_LEVEL";

    /// <summary>Why a test of the full level is skipped at the quick one.</summary>
    public const string Skipped = $"Runs with {Variable}=full only.";

    private static readonly string _name = Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } given ? given : "quick";

    /// <exception cref="InvalidOperationException">The variable has an unknown value: no test runs at a level that was not meant.</exception>
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
