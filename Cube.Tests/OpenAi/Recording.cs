using System.Text;
using System.Text.Json;
using Cube.Tests.Systems;

namespace Cube.Tests.OpenAi;

/// <summary>What a real model server once answered, read by read.</summary>
public sealed record Recording(string Server, string Set, string Name, string Method, string Path, string? Body, IReadOnlyList<byte[]> Reads, bool IsClosed)
{
    public static string Folder => TestFiles.Folder("CUBE_TEST_BACKENDS", "backends");

    /// <summary>All of them; none where the folder is not there.</summary>
    public static IReadOnlyList<Recording> All { get; } = Directory.Exists(Folder)
        ? [.. Directory.EnumerateFiles(Folder, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(Read)]
        : [];

    public string Kind => Server.StartsWith("vllm", StringComparison.Ordinal) ? "vllm" : "ollama";

    public string Id => $"{Server}/{Set}/{Name}";

    /// <summary>The model that its request names, where it names one.</summary>
    public string? Model => Json is { ValueKind: JsonValueKind.Object } json && json.TryGetProperty("model", out var model) && model.ValueKind == JsonValueKind.String ? model.GetString() : null;

    /// <summary>How many choices its request asks for.</summary>
    public int Choices => Json is { ValueKind: JsonValueKind.Object } json && json.TryGetProperty("n", out var n) && n.ValueKind == JsonValueKind.Number ? n.GetInt32() : 1;

    /// <summary>The answer's text, head and framing included.</summary>
    public string Answer => string.Concat(Reads.Select(Encoding.UTF8.GetString));

    public int Status => Answer.StartsWith("HTTP/1.1 ", StringComparison.Ordinal) ? int.Parse(Answer.AsSpan(9, 3), System.Globalization.CultureInfo.InvariantCulture) : 0;

    private JsonElement? Json
    {
        get
        {
            try
            {
                return Body is null ? null : JsonElement.Parse(Body);
            }
            catch (JsonException)
            {
                return null;
            }
        }
    }

    /// <summary>Skips the test where it is not here.</summary>
    public static Recording Find(string id)
    {
        var found = All.FirstOrDefault(recording => recording.Id == id);
        Assert.SkipWhen(found is null, $"The recording {id} is not here; CUBE_TEST_BACKENDS can name the folder that has it.");
        return found!;
    }

    private static Recording Read(string file)
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(file));
        var (request, response) = (json.RootElement.GetProperty("request"), json.RootElement.GetProperty("response"));
        var folders = System.IO.Path.GetRelativePath(Folder, file).Split(System.IO.Path.DirectorySeparatorChar);
        return new Recording(
            folders[0], folders[^2], System.IO.Path.GetFileNameWithoutExtension(file),
            request.GetProperty("method").GetString()!, request.GetProperty("path").GetString()!, BodyOf(request),
            [.. response.GetProperty("reads").EnumerateArray().Select(Bytes)],
            response.TryGetProperty("ended", out var ended) && ended.GetString() == "closed");
    }

    private static string? BodyOf(JsonElement request) =>
        !request.TryGetProperty("body", out var body) || body.ValueKind == JsonValueKind.Null ? null
        : body.ValueKind == JsonValueKind.Object && body.TryGetProperty("text", out var text) && text.ValueKind == JsonValueKind.String && body.EnumerateObject().Count() == 1 ? text.GetString()
        : body.ValueKind == JsonValueKind.Object && body.TryGetProperty("base64", out var base64) && body.EnumerateObject().Count() == 1 ? null
        : body.GetRawText();

    private static byte[] Bytes(JsonElement read) => read.TryGetProperty("text", out var text) ? Encoding.UTF8.GetBytes(text.GetString()!) : read.GetProperty("base64").GetBytesFromBase64();
}
