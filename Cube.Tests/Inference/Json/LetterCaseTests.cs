using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cube.Agent.Backends;
using Cube.Inference;
using Cube.Inference.Chat;
using Cube.Inference.Errors;
using Cube.Inference.Images;
using Cube.Inference.Json;
using Cube.Inference.Translation;

namespace Cube.Tests.Inference.Json;

/// <summary>Go's JSON decoder ignores letter case. Therefore no member name in another letter case may reach a model server, at any depth.</summary>
public sealed class LetterCaseTests
{
    private const string Poison = "poison";
    private const string Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    private const string Schema =
        """{"type":"object","$defs":{"x":{"type":"string","enum":["a"]}},"properties":{"a":{"$ref":"#/$defs/x"},"b":{"type":"array","items":{"type":"integer"},"maxItems":3},"c":{"anyOf":[{"type":"string","pattern":"^a$"},{"type":"null"}]}},"required":["a"],"additionalProperties":false}""";

    private const string Function = $$"""{"name":"f","description":"d","parameters":{{Schema}},"strict":true}""";

    private const string Sampling = """ "stream":true,"stream_options":{"include_usage":true},"temperature":1,"top_p":0.5,"seed":1,"stop":["a"],"presence_penalty":0,"frequency_penalty":0,"user":"u" """;

    /// <summary>Members whose child names are chosen by the client.</summary>
    private static readonly string[] _free = ["properties", "$defs", "metadata", "arguments"];

    private static readonly (ForwardedEndpoint Endpoint, string Body)[] _samples =
    [
        (Endpoint("chat.completions"), $$"""
            {"model":"m",{{Sampling}},"max_tokens":5,"reasoning_effort":"low","parallel_tool_calls":true,"tools":[{"type":"function","function":{{Function}} }],"tool_choice":"auto","logprobs":true,"top_logprobs":1,
            "response_format":{"type":"json_schema","json_schema":{"name":"n","description":"d","schema":{{Schema}},"strict":true} },
            "messages":[{"role":"system","content":"s"},{"role":"user","name":"u","content":[{"type":"text","text":"t"},{"type":"image_url","image_url":{"url":"data:image/png;base64,{{Pixel}}","detail":"low"} },{"type":"input_audio","input_audio":{"data":"AAAA","format":"wav"} }]},
            {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"} }]},{"role":"tool","tool_call_id":"c","content":"r"}]}
            """),
        (Endpoint("chat.completions"), $$"""{"model":"m","messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{{Function}} }],"tool_choice":{"type":"function","function":{"name":"f"} } }"""),
        (Endpoint("completions"), $$"""{"model":"m","prompt":"p","max_tokens":5,{{Sampling}} }"""),
        (Endpoint("responses"), $$"""
            {"model":"m","instructions":"i","stream":true,"stream_options":{"include_obfuscation":false},"max_output_tokens":5,"text":{"format":{"type":"json_schema","name":"n","schema":{{Schema}},"strict":true} },"reasoning":{"effort":"low"},
            "tools":[{"type":"function","name":"f","description":"d","parameters":{{Schema}},"strict":true}],"tool_choice":"auto",
            "input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"t"},{"type":"input_image","image_url":"data:image/png;base64,{{Pixel}}"}]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":[{"type":"input_text","text":"r"}]}]}
            """),
        (Endpoint("embeddings"), """{"model":"m","input":["a"],"encoding_format":"float","dimensions":5}"""),
        (Endpoint("native.chat"), $$"""
            {"model":"m","stream":false,"options":{"temperature":1,"stop":["a"],"seed":1},"format":{{Schema}},"think":false,"tools":[{"type":"function","function":{{Function}} }],
            "messages":[{"role":"user","content":"c","images":["{{Pixel}}"]},{"role":"assistant","content":"","thinking":"t","tool_calls":[{"id":"c","function":{"index":0,"name":"f","arguments":{"a":1} } }]},{"role":"tool","tool_name":"f","content":"r"}]}
            """),
        (Endpoint("native.generate"), $$"""{"model":"m","prompt":"p","suffix":"s","system":"y","images":["{{Pixel}}"],"format":{{Schema}},"options":{"top_k":1} }"""),
        (Endpoint("native.embed"), """{"model":"m","input":["a"],"truncate":true,"options":{"seed":1} }"""),
        (Endpoint("native.create"), """{"model":"m","from":"n","messages":[{"role":"user","content":"x"}] }"""),
    ];

    public static TheoryData<int, string> Samples
    {
        get
        {
            var data = new TheoryData<int, string>();
            for (var i = 0; i < _samples.Length; i++)
            {
                foreach (var kind in _samples[i].Endpoint.ChangesModels || _samples[i].Body.Contains("\"options\"", StringComparison.Ordinal) || _samples[i].Body.Contains("\"system\":\"y\"", StringComparison.Ordinal) ? ["ollama"] : (string[])["ollama", "vllm"])
                {
                    data.Add(i, kind);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_name_in_another_letter_case_is_rejected_or_dropped(int sample, string kindName)
    {
        var (endpoint, body) = _samples[sample];
        var backend = BackendProtocols.Find(kindName)!;
        if (backend == BackendProtocols.Ollama && body.Contains("\"tool_choice\":{", StringComparison.Ordinal))
        {
            return;
        }

        var known = Names(Sent(endpoint, body, backend)).ToHashSet(StringComparer.Ordinal);
        var tried = 0;
        foreach (var path in PathsIn(JsonNode.Parse(body)!).ToList())
        {
            foreach (var other in OthersOf(path.Name))
            {
                foreach (var isBeside in (bool[])[true, false])
                {
                    var changed = JsonNode.Parse(body)!;
                    var owner = path.Owner(changed);
                    owner[other] = isBeside ? Poison : owner[path.Name]?.DeepClone();
                    if (!isBeside)
                    {
                        owner.Remove(path.Name);
                    }

                    CheckSent(endpoint, changed.ToJsonString(), backend, known);
                    tried++;
                }
            }
        }

        Assert.True(tried > 8);
    }

    [Theory]
    [InlineData("Schema")]
    [InlineData("\u017Fchema")]
    [InlineData("JSON_SCHEMA")]
    [InlineData("to\u212Aens")]
    public void Names_are_compared_with_the_case_folding_of_Go(string name) => Assert.Contains(JsonMembers.Fold(name), (string[])["schema", "json_schema", "tokens"]);

    private static ForwardedEndpoint Endpoint(string name) => (ForwardedEndpoint)InferenceEndpoints.All.Single(endpoint => endpoint.Name == name);

    private static void CheckSent(ForwardedEndpoint endpoint, string body, BackendProtocol backend, HashSet<string> known)
    {
        JsonElement sent;
        try
        {
            sent = Sent(endpoint, body, backend);
        }
        catch (RequestRejectedException refused)
        {
            Assert.Equal(400, refused.Error.Status);
            return;
        }

        Assert.DoesNotContain(Poison, sent.GetRawText(), StringComparison.Ordinal);
        Assert.Subset(known, Names(sent).ToHashSet(StringComparer.Ordinal));
    }

    private static JsonElement Sent(ForwardedEndpoint endpoint, string body, BackendProtocol backend)
    {
        using var request = JsonRequest.Read(Encoding.UTF8.GetBytes(body), (JsonRequestTranslator)endpoint.Request, new RequestLimits(int.MaxValue, 10, 100));
        using var output = new ByteBuffer(4096);
        request.Write(output, new RequestTarget(backend, "m", "salt"), CancellationToken.None);
        return JsonElement.Parse(output.Written.Span);
    }

    /// <summary>Every member name with its path. A name that the client chose is a star.</summary>
    private static IEnumerable<string> Names(JsonElement json, string path = "", bool isFree = false)
    {
        if (json.ValueKind == JsonValueKind.Array)
        {
            return json.EnumerateArray().SelectMany(item => Names(item, $"{path}[]"));
        }

        return json.ValueKind != JsonValueKind.Object ? [] : json.EnumerateObject().SelectMany(member =>
        {
            var name = $"{path}.{(isFree ? "*" : member.Name)}";
            return Names(member.Value, name, !isFree && _free.Contains(member.Name)).Prepend(name);
        });
    }

    private sealed record Place(Func<JsonNode, JsonObject> Owner, string Name);

    private static IEnumerable<Place> PathsIn(JsonNode node, Func<JsonNode, JsonNode>? way = null, bool isFree = false)
    {
        way ??= static root => root;
        if (node is JsonArray array)
        {
            return array.SelectMany((item, i) => item is null ? [] : PathsIn(item, root => way(root).AsArray()[i]!));
        }

        return node is not JsonObject owner ? [] : owner.SelectMany(member =>
        {
            var inner = member.Value is null ? [] : PathsIn(member.Value, root => way(root).AsObject()[member.Key]!, !isFree && _free.Contains(member.Key));
            return isFree ? inner : inner.Prepend(new Place(root => way(root).AsObject(), member.Key));
        });
    }

    private static IEnumerable<string> OthersOf(string name)
    {
        var at = name.AsSpan().IndexOfAnyInRange('a', 'z');
        yield return $"{name[..at]}{char.ToUpperInvariant(name[at])}{name[(at + 1)..]}";
        yield return name.ToUpperInvariant();
        foreach (var (letter, other) in ((char, char)[])[('s', '\u017F'), ('k', '\u212A')])
        {
            if (name.Contains(letter, StringComparison.Ordinal))
            {
                yield return name.Replace(letter, other);
            }
        }
    }
}
