using System.Text.Json;

namespace Cube.Tests.Systems;

/// <summary>Real and synthetic Evidence in a directory next to the project, or in <c>CUBE_VECTORS</c>.</summary>
internal static class Vectors
{
    public const string Absent = "There are no vectors: set CUBE_VECTORS to a directory with a manifest.json.";

    public static string Directory { get; } = Environment.GetEnvironmentVariable("CUBE_VECTORS") is { Length: > 0 } given
        ? given
        : Path.GetFullPath(Path.Combine(Root(), "..", "shared", "vectors"));

    private static readonly Lazy<JsonDocument?> _manifest = new(static () =>
        File.Exists(Path.Combine(Directory, "manifest.json")) ? JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Directory, "manifest.json"))) : null);

    public static bool AreAvailable => _manifest.Value is not null;

    public static IEnumerable<JsonElement> All => _manifest.Value?.RootElement.EnumerateArray() ?? Enumerable.Empty<JsonElement>();

    public static JsonElement Entry(string id) => All.Single(entry => entry.GetProperty("id").GetString() == id);

    public static string Of(string id) => Path.Combine(Directory, id);

    private static string Root()
    {
        var directory = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(directory, "Cube.sln")))
        {
            directory = Path.GetDirectoryName(directory) ?? throw new InvalidOperationException("Cube.sln is nowhere above.");
        }

        return directory;
    }
}
