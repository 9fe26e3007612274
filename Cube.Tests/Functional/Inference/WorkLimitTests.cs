using System.Diagnostics;
using System.Text;
using Cube.Tests.Inference.Ollama;
using Cube.Tests.Systems;

namespace Cube.Tests.Functional.Inference;

/// <summary>The work per request grows at most linearly with its size: large bodies are answered in seconds.</summary>
[Collection(ReplayCollectionDefinition.Name)]
public sealed class WorkLimitTests(ReplaySystem system)
{
    private static readonly TimeSpan _bound = TimeSpan.FromSeconds(10);

    public static TheoryData<string> Kinds =>
    [
        "messages", "parts", "tool_calls", "unknown", "unknown in messages", "items", "schema", "schema of a tool", "required", "enum", "types", "tokens", "inputs", "native messages", "native images", "stop", "escapes", "context", "metadata",
    ];

    private static string Many(string item, int bytes, string separator = ",")
    {
        var text = new StringBuilder(bytes + item.Length);
        for (var i = 0; text.Length < bytes; i++)
        {
            text.Append(i > 0 ? separator : "").Append(item.Replace("#", i.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal));
        }

        return text.ToString();
    }

    private static (string Path, string Body) Large(string kind, int bytes) => kind switch
    {
        "messages" => ("chat/completions", $$"""{"model":"m","messages":[{{Many("""{"role":"user","content":"a"}""", bytes)}}],"n":0}"""),
        "parts" => ("chat/completions", $$"""{"model":"m","messages":[{"role":"user","content":[{{Many("""{"type":"text","text":"a"}""", bytes)}}]}],"n":0}"""),
        "tool_calls" => ("chat/completions", $$"""{"model":"m","messages":[{"role":"assistant","tool_calls":[{{Many("""{"id":"c#","type":"function","function":{"name":"f","arguments":""}}""", bytes)}}]}],"n":0}"""),
        "unknown" => ("chat/completions", $$"""{"model":"m","messages":[],{{Many("\"u#\":1", bytes)}}}"""),
        "unknown in messages" => ("chat/completions", $$"""{"model":"m","messages":[{"role":"user","content":"a",{{Many("\"u#\":1", bytes)}}}],"n":0}"""),
        "items" => ("responses", $$"""{"model":"m","input":[{{Many("""{"type":"function_call","call_id":"c#","name":"f","arguments":"{}"}""", bytes)}}],"temperature":9}"""),
        "schema" => ("chat/completions", $$"""{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"properties":{{{Many("\"p#\":{\"$ref\":\"#/$defs/x\"}", bytes)}} } } } } }"""),
        "schema of a tool" => ("chat/completions", $$"""{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"f","parameters":{"properties":{{{Many("\"p#\":{\"anyOf\":[true]}", bytes)}} } } } }]}"""),
        "required" => ("/api/chat", $$"""{"model":"m","messages":[{"role":"user","content":"a"}],"format":{"anyOf":[],"required":[{{Many("\"p#\"", bytes)}}]} }"""),
        "enum" => ("/api/chat", $$"""{"model":"m","messages":[{"role":"user","content":"a"}],"format":{"anyOf":[],"enum":[{{Many("\"p#\"", bytes)}}]} }"""),
        "types" => ("/api/generate", $$"""{"model":"m","prompt":"a","format":{"anyOf":[],"type":[{{Many("\"null\"", bytes)}}]} }"""),
        "tokens" => ("completions", $$"""{"model":"m","prompt":[{{Many("1", bytes)}}]}"""),
        "inputs" => ("embeddings", $$"""{"model":"m","input":[[{{Many("1", bytes)}}],1]}"""),
        "native messages" => ("/api/chat", $$"""{"model":"m","messages":[{{Many("""{"role":"assistant","content":"a","tool_calls":[{"function":{"name":"f"}}]}""", bytes)}}],"top_logprobs":99}"""),
        "native images" => ("/api/generate", $$"""{"model":"m","prompt":"a","images":[{{Many("\"AAAA\"", bytes)}}]}"""),
        "stop" => ("chat/completions", $$"""{"model":"m","messages":[],"stop":[{{Many("\"a\"", bytes)}}]}"""),
        "escapes" => ("chat/completions", $$"""{"model":"m","messages":[{"role":"user","content":"{{Many("\\ud83d\\ude00", bytes, "")}}"}],"n":0}"""),
        "context" => ("/api/generate", $$"""{"model":"m","prompt":"a","context":[{{Many("1", bytes)}}],"format":{"anyOf":[]} }"""),
        _ => ("responses", $$"""{"model":"m","input":"a","temperature":9,"metadata":{{{Many("\"u#\":\"x\"", bytes)}} } }"""),
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task A_large_body_of_many_small_parts_is_answered_in_seconds(string kind)
    {
        var (cube, _, tenant) = system["ollama"];
        // Below the limit of values in a body, so that the later checks are measured.
        var (path, body) = Large(kind, 1500 << 10);
        var watch = Stopwatch.StartNew();
        var answer = await ClientResponse.AskAsync(cube, tenant, path, body);
        Assert.Equal(400, answer.Status);
        Assert.True(watch.Elapsed < _bound, $"{kind}: {watch.Elapsed}");
    }

    [Theory]
    [InlineData("ollama", 400)]
    [InlineData("vllm", 200)]
    public async Task A_schema_with_exponential_references_is_answered_quickly(string kind, int status)
    {
        var (cube, server, tenant) = system[kind];
        server.PlayJson(200, FakeBackend.Chat);
        var watch = Stopwatch.StartNew();
        var answer = await ClientResponse.AskAsync(cube, tenant, "chat/completions", $$"""{"model":"m","messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{{OllamaSchemaWorkTests.Doubling(40)}} } } }""");
        Assert.Equal(status, answer.Status);
        Assert.True(watch.Elapsed < _bound);
    }

    [Theory]
    [InlineData(60, 200)]
    [InlineData(70, 400)]
    [InlineData(60_000, 400)]
    public async Task A_form_with_too_many_parts_is_rejected_early(int unknown, int status)
    {
        var (cube, server, tenant) = system["vllm"];
        server.PlayJson(200, """{"text":"a"}""");
        var form = new StringBuilder();
        foreach (var name in Enumerable.Range(0, unknown).Select(static i => $"u{i}{new string('x', 50)}").Append("file").Append("model"))
        {
            form.Append($"--xyz\r\nContent-Disposition: form-data; name=\"{name}\"{(name == "file" ? "; filename=\"a.wav\"" : "")}\r\n\r\nm\r\n");
        }

        var watch = Stopwatch.StartNew();
        var answer = await ClientResponse.AskAsync(cube, tenant, "audio/transcriptions", form.Append("--xyz--\r\n").ToString(), "multipart/form-data; boundary=xyz");
        Assert.Equal(status, answer.Status);
        Assert.True(watch.Elapsed < _bound);
        Assert.True(status == 400 || answer.Headers.GetValues("x-cube-ignored").Single().Split(", ").Length == 16);
    }
}
