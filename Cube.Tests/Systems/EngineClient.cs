using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;

namespace Cube.Tests.Systems;

/// <summary>A client of the SpiceDB HTTP API that is independent of Cube's client.</summary>
internal sealed class EngineClient(Uri address, string key)
{
    private static readonly HttpClient Http = new(new SocketsHttpHandler()) { Timeout = TimeSpan.FromSeconds(20) };

    public async Task<(int Status, JsonElement Body, string Text)> SendAsync(string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(address, path)) { Content = JsonContent.Create(body) };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        using var response = await Http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        // A stream of relationships has one message per line.
        return ((int)response.StatusCode, text.TrimEnd().Contains('\n', StringComparison.Ordinal) || text.Length == 0 ? default : JsonElement.Parse(text), text);
    }

    public async Task WriteSchemaAsync(string schema)
    {
        var (status, _, text) = await SendAsync("/v1/schema/write", new { schema });
        Assert.True(status == 200, text);
    }

    public Task<(int Status, JsonElement Body, string Text)> WriteAsync(string operation, params string[] tuples) => SendAsync("/v1/relationships/write", new
    {
        updates = tuples.Select(tuple => new { operation = $"OPERATION_{operation}", relationship = Tuple(tuple) }),
    });

    /// <param name="question">A check, for example <c>group:g#member@user:u</c>.</param>
    public async Task<string> CheckAsync(string question)
    {
        var (_, body, text) = await SendAsync("/v1/permissions/check", Question(question, true));
        return Outcome(body, text);
    }

    public async Task<string[]> CheckAsync(IEnumerable<string> questions)
    {
        var (status, body, text) = await SendAsync("/v1/permissions/checkbulk", new
        {
            consistency = new { fullyConsistent = true }, items = questions.Select(static question => Question(question, false)),
        });
        Assert.True(status == 200, text);
        return [.. body.GetProperty("pairs").EnumerateArray().Select(static pair => pair.TryGetProperty("item", out var item) && item.ValueKind == JsonValueKind.Object
            ? Outcome(item, "")
            : $"error {pair.GetProperty("error").GetProperty("code").GetInt32()}")];
    }

    public async Task<string[]> ReadAsync(object filter)
    {
        var (status, _, text) = await SendAsync("/v1/relationships/read", new { consistency = new { fullyConsistent = true }, relationshipFilter = filter });
        Assert.True(status == 200, text);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(static line => Text(JsonElement.Parse(line).GetProperty("result").GetProperty("relationship"))).Order(StringComparer.Ordinal)];
    }

    private static string Outcome(JsonElement body, string text) => body.ValueKind == JsonValueKind.Object && body.TryGetProperty("permissionship", out var permission)
        ? permission.GetString() == "PERMISSIONSHIP_HAS_PERMISSION" ? "yes" : "no"
        : $"error {(body.ValueKind == JsonValueKind.Object && body.TryGetProperty("code", out var code) ? code.GetInt32() : text)}";

    private static object Question(string question, bool alone)
    {
        var (resource, permission, subject) = Parse(question);
        return alone
            ? new { consistency = new { fullyConsistent = true }, resource, permission, subject }
            : new { resource, permission, subject };
    }

    private static object Tuple(string tuple)
    {
        var (resource, relation, subject) = Parse(tuple);
        return new { resource, relation, subject };
    }

    private static (object Resource, string Name, object Subject) Parse(string text)
    {
        var at = text.Split('@', 2);
        var hash = at[0].Split('#', 2);
        var subject = at[1].Split('#', 2);
        return (Object(hash[0]), hash[1], new { @object = Object(subject[0]), optionalRelation = subject.Length > 1 ? subject[1] : "" });
    }

    private static object Object(string text)
    {
        var parts = text.Split(':', 2);
        return new { objectType = parts[0], objectId = parts[1] };
    }

    private static string Text(JsonElement tuple)
    {
        var subject = tuple.GetProperty("subject");
        var relation = subject.GetProperty("optionalRelation").GetString();
        return $"{Name(tuple.GetProperty("resource"))}#{tuple.GetProperty("relation").GetString()}@{Name(subject.GetProperty("object"))}{(relation is { Length: > 0 } ? $"#{relation}" : "")}";

        static string Name(JsonElement reference) => $"{reference.GetProperty("objectType").GetString()}:{reference.GetProperty("objectId").GetString()}";
    }
}
