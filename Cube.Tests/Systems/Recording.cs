using System.Text;
using System.Text.Json;

namespace Cube.Tests.Systems;

/// <summary>A recorded exchange with a real model server. Each element of <c>Reads</c> is one read from the socket.</summary>
public sealed record Recording(string Server, string Set, string Name, string Method, string Path, string? Body, IReadOnlyList<byte[]> Reads, bool IsClosed)
{
    public static string Folder => TestFiles.Folder("CUBE_TEST_BACKENDS", "backends");

    /// <summary>All recordings; empty if the folder does not exist.</summary>
    public static IReadOnlyList<Recording> All { get; } = Directory.Exists(Folder)
        ? [.. Directory.EnumerateFiles(Folder, "*.json", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(Read)]
        : [];

    public string Kind => Server.StartsWith("vllm", StringComparison.Ordinal) ? "vllm" : "ollama";

    public string Id => $"{Server}/{Set}/{Name}";

    /// <summary>The model of the request; null if the request names none.</summary>
    public string? Model => Json is { ValueKind: JsonValueKind.Object } json && json.TryGetProperty("model", out var model) && model.ValueKind == JsonValueKind.String ? model.GetString() : null;

    /// <summary>The number of choices that the request asks for.</summary>
    public int Choices => Json is { ValueKind: JsonValueKind.Object } json && json.TryGetProperty("n", out var n) && n.ValueKind == JsonValueKind.Number ? n.GetInt32() : 1;

    /// <summary>The response as text, with its headers and framing.</summary>
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

    /// <summary>Finds a recording, or skips the test if it does not exist.</summary>
    public static Recording Find(string id)
    {
        var found = All.FirstOrDefault(recording => recording.Id == id);
        Assert.SkipWhen(found is null, $"The recording {id} does not exist. CUBE_TEST_BACKENDS can name its folder.");
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
