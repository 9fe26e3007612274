using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Cube.Inference;
using Cube.Inference.Chat;
using Cube.Inference.Completions;
using Cube.Inference.Json;
using Cube.Inference.Models;
using Cube.Inference.Responses;
using Cube.Inference.Translation;

namespace Cube.Tests.Inference.Chat;

/// <summary>Tool calls and logprobs in the formats of different model servers, for chats and responses, with and without streaming.</summary>
public sealed class ToolCallTests
{
    private static readonly ClientRequest _request = new() { Model = "m" };

    private static string Part(string? index, string? id, string? name, string? arguments) =>
        "{" + string.Join(',', ((string?[])
        [
            index is null ? null : $"\"index\":{index}", id is null ? null : $"\"id\":\"{id}\"",
            name is null && arguments is null ? null : "\"function\":{" + string.Join(',', ((string?[])[name is null ? null : $"\"name\":\"{name}\"", arguments is null ? null : $"\"arguments\":{JsonSerializer.Serialize(arguments)}"]).Where(static member => member is not null)) + "}",
        ]).Where(static member => member is not null)) + "}";

    private static string Delta(params string[] parts) => $$"""{"tool_calls":[{{string.Join(',', parts)}}]}""";

    private static string Event(string delta, string finish = "null", string logprobs = "null") =>
        $$"""{"model":"m","choices":[{"index":0,"delta":{{delta}},"logprobs":{{logprobs}},"finish_reason":{{finish}}}]}""";

    private static (StreamStep End, string Text) Run(IStreamTranslator stream, IEnumerable<string> events)
    {
        using var output = new ByteBuffer();
        foreach (var data in events)
        {
            if (stream.Write(Encoding.UTF8.GetBytes(data), output) == StreamStep.Failed)
            {
                return (StreamStep.Failed, Encoding.UTF8.GetString(output.Written.Span));
            }
        }

        var end = stream.Complete(output);
        return (end, Encoding.UTF8.GetString(output.Written.Span));
    }

    private static List<JsonNode> Data(string text) =>
        [.. text.Split('\n').Where(static line => line.StartsWith("data: {", StringComparison.Ordinal)).Select(static line => JsonNode.Parse(line[6..])!)];

    /// <summary>The tool calls of a streamed chat, joined by index as an SDK does.</summary>
    private static (string Finish, List<(string Id, string Name, string Arguments)> Calls) Chat(string[] deltas, ClientRequest? request = null)
    {
        var (end, text) = Run(new ChatStream(request ?? _request, DateTimeOffset.UnixEpoch), [.. deltas.Select(static delta => Event(delta)), Event("{}", "\"tool_calls\"")]);
        if (end == StreamStep.Failed)
        {
            return ("failed", []);
        }

        List<(string Id, string Name, string Arguments)> calls = [];
        foreach (var call in Data(text).SelectMany(static data => data["choices"]![0]!["delta"]!["tool_calls"]?.AsArray() ?? []))
        {
            var index = (int)call!["index"]!;
            if (index == calls.Count)
            {
                calls.Add(((string)call["id"]!, (string)call["function"]!["name"]!, ""));
            }

            calls[index] = calls[index] with { Arguments = calls[index].Arguments + (string)call["function"]!["arguments"]! };
        }

        return ((string)Data(text).Last(static data => data["choices"]![0]!["finish_reason"] is not null)["choices"]![0]!["finish_reason"]!, calls);
    }

    /// <summary>The tool calls of the last event of a streamed response.</summary>
    private static List<(string Id, string Name, string Arguments)> Response(string[] deltas)
    {
        using var stream = new ResponsesStream(_request, TimeProvider.System);
        var (end, text) = Run(stream, [.. deltas.Select(static delta => Event(delta)), Event("{}", "\"tool_calls\"")]);
        return end == StreamStep.Failed
            ? []
            : [.. Data(text)[^1]["response"]!["output"]!.AsArray().Where(static item => (string?)item!["type"] == "function_call").Select(static item => ((string)item!["call_id"]!, (string)item["name"]!, (string)item["arguments"]!))];
    }

    public static TheoryData<string, string[], string> Streams => new()
    {
        { "one index for two calls, in events of their own", [Delta(Part("0", "a", "f", "{\"x\":1}")), Delta(Part("0", "b", "f", "{\"x\":2}"))], "f{\"x\":1} f{\"x\":2}" },
        { "one index for two calls, in one event", [Delta(Part("0", "a", "f", "{\"x\":1}"), Part("0", "b", "g", "{\"x\":2}"))], "f{\"x\":1} g{\"x\":2}" },
        { "one index for three calls, in pieces", [Delta(Part("0", "a", "f", "{")), Delta(Part("0", null, null, "}")), Delta(Part("0", "b", "f", "")), Delta(Part("0", null, null, "{}")), Delta(Part("0", "c", "g", "[]"))], "f{} f{} g[]" },
        { "no index, id and name repeated", [Delta(Part(null, "a", "f", "{\"x\":")), Delta(Part(null, "a", "f", "1}"))], "f{\"x\":1}" },
        { "an index, id and name repeated", [Delta(Part("0", "a", "f", "{\"x\":")), Delta(Part("0", "a", "f", "1}"))], "f{\"x\":1}" },
        { "neither index nor id", [Delta(Part(null, null, "f", "{")), Delta(Part(null, null, null, "}")), Delta(Part(null, null, "g", "{}"))], "f{} g{}" },
        { "no ids, one index", [Delta(Part("0", null, "f", "{\"x\":\"}\"}")), Delta(Part("0", null, "f", "{}"))], "f{\"x\":\"}\"} f{}" },
        { "the name last", [Delta(Part("0", "a", null, "")), Delta(Part("0", null, null, "{\"x\"")), Delta(Part("0", null, "f", ":")), Delta(Part("0", null, null, "1}"))], "f{\"x\":1}" },
        { "the id last", [Delta(Part("0", null, "f", "{")), Delta(Part("0", "a", null, "}"))], "f{}" },
        { "two calls in turns", [Delta(Part("0", "a", "f", "{")), Delta(Part("1", "b", "g", "[")), Delta(Part("0", null, null, "}")), Delta(Part("1", null, null, "]"))], "f{} g[]" },
        { "two calls in turns, by id alone", [Delta(Part(null, "a", "f", "{")), Delta(Part(null, "b", "g", "[")), Delta(Part(null, "a", null, "}")), Delta(Part(null, "b", null, "]"))], "f{} g[]" },
        { "one id for two indexes", [Delta(Part("0", "a", "f", "{}")), Delta(Part("1", "a", "g", "{}"))], "f{} g{}" },
        { "indexes that do not begin at 0, written as 7.0", [Delta(Part("7.0", "a", "f", "{")), Delta(Part("7.0", null, null, "}")), Delta(Part("9.0", "b", "g", "{}"))], "f{} g{}" },
        { "a function that is null, and nothing at all", [Delta(Part("0", "a", "f", "{}")), """{"tool_calls":[{"index":0,"id":null,"type":null,"function":null}]}""", """{"tool_calls":[null]}""", """{"tool_calls":[{}]}""", """{"tool_calls":null}"""], "f{}" },
        { "no arguments", [Delta(Part("0", "a", "f", "")), Delta(Part("1", "b", "g", null))], "f{} g{}" },
        { "null and an object for arguments", ["""{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":null}},{"index":1,"id":"b","function":{"name":"g","arguments":{"x":"\""}}}]}"""], "f{} g{\"x\":\"\\\"\"}" },
    };

    [Theory]
    [MemberData(nameof(Streams))]
    public void Tool_call_parts_are_joined_for_every_index_style(string form, string[] deltas, string expected)
    {
        var (finish, calls) = Chat(deltas);
        Assert.Equal((form, "tool_calls", expected), (form, finish, string.Join(' ', calls.Select(static call => call.Name + call.Arguments))));
        Assert.Equal(calls.Count, calls.Select(static call => call.Id).Distinct().Count());
        Assert.DoesNotContain(calls, static call => call.Id.Length == 0);

        var items = Response(deltas);
        Assert.Equal((form, expected), (form, string.Join(' ', items.Select(static call => call.Name + call.Arguments))));
        Assert.Equal(items.Count, items.Select(static call => call.Id).Distinct().Count());
    }

    [Theory]
    [InlineData("""{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}""")]
    [InlineData("""{"tool_calls":[{"function":{"arguments":"{}"}}]}""")]
    [InlineData("""{"tool_calls":[{"index":0,"id":"a"}]}""")]
    [InlineData("""{"tool_calls":["f"]}""")]
    [InlineData("""{"tool_calls":[{"index":0,"id":"a","function":"f"}]}""")]
    public void A_tool_call_without_a_name_fails_the_stream(string delta)
    {
        Assert.Equal("failed", Chat([delta]).Finish);
        Assert.Empty(Response([delta]));
    }

    [Fact]
    public void Tool_calls_that_the_client_disabled_are_removed()
    {
        string[] deltas = [Delta(Part("0", "a", "f", "{}")), Delta(Part("0", "b", "g", "{}"))];
        Assert.Equal(("stop", 0), (Chat(deltas, _request with { ToolChoice = ToolChoice.None }).Finish, Chat(deltas, _request with { ToolChoice = ToolChoice.None }).Calls.Count));
        Assert.Equal("f", Assert.Single(Chat(deltas, _request with { AllowsParallelCalls = false }).Calls).Name);

        var whole = Whole("""{"role":"assistant","content":null,"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}""", "tool_calls", _request with { ToolChoice = ToolChoice.None });
        Assert.Equal(("", "stop"), ((string?)whole["message"]!["content"], (string?)whole["finish_reason"]));
        Assert.Null(whole["message"]!["tool_calls"]);
    }

    [Fact]
    public void A_buffered_response_has_tool_calls_with_unique_ids_and_valid_arguments()
    {
        var choice = Whole(
            """{"role":"assistant","content":"","reasoning":"","reasoning_content":"why","tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":""}},{"index":0,"id":"a","function":{"name":"g","arguments":null}},null,{"function":{"name":"h","arguments":{"x":1}}}]}""",
            "tool_calls", _request);
        var calls = choice["message"]!["tool_calls"]!.AsArray();
        Assert.Equal(["f{}", "g{}", "h{\"x\":1}"], calls.Select(static call => (string)call!["function"]!["name"]! + (string)call["function"]!["arguments"]!));
        Assert.Equal(3, calls.Select(static call => (string)call!["id"]!).Distinct().Count());
        Assert.Equal("why", (string?)choice["message"]!["reasoning"]);
    }

    private static JsonNode Whole(string message, string finish, ClientRequest request)
    {
        using var output = new ByteBuffer();
        var answer = $$"""{"choices":[{"message":{{message}},"finish_reason":"{{finish}}"}],"usage":{"prompt_tokens":7.0,"completion_tokens":2.0} }""";
        var usage = InferenceEndpoints.ChatCompletions.Response.WriteBuffered(Encoding.UTF8.GetBytes("\uFEFF" + answer), "application/json", request, DateTimeOffset.UnixEpoch, output).Usage;
        Assert.Equal((7, 2), (usage!.Value.Prompt, usage.Value.Completion));
        return JsonNode.Parse(output.Written.Span)!["choices"]![0]!;
    }

    [Fact]
    public void Logprobs_of_tokens_without_text_are_streamed()
    {
        var (end, text) = Run(new ChatStream(_request, DateTimeOffset.UnixEpoch),
        [
            Event("""{"role":"assistant","content":""}"""),
            Event("""{"content":"a"}""", logprobs: """{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"rank":1}]}"""),
            Event("""{"content":""}""", logprobs: """{"content":[{"token":"\\xf0","logprob":null,"bytes":[240],"top_logprobs":[{"token":"b","logprob":-1,"x":1}]}]}"""),
            Event("{}", "\"stop\"", """{"content":[{"token":"</s>","logprob":-0.1,"bytes":null,"top_logprobs":null}]}"""),
        ]);
        Assert.Equal(StreamStep.Done, end);
        var entries = Data(text).SelectMany(static data => data["choices"]![0]!["logprobs"]?["content"]?.AsArray() ?? []).Select(static entry => entry!.ToJsonString()).ToArray();
        Assert.Equal(
        [
            """{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[]}""",
            """{"token":"\\xf0","logprob":-9999.0,"bytes":[240],"top_logprobs":[{"token":"b","logprob":-1,"bytes":null}]}""",
            """{"token":"\u003C/s\u003E","logprob":-0.1,"bytes":null,"top_logprobs":[]}""",
        ], entries);
    }

    [Fact]
    public void A_completion_streams_the_logprobs_of_each_token()
    {
        var (_, text) = Run(new CompletionStream(_request, DateTimeOffset.UnixEpoch),
        [
            """{"model":"m","choices":[{"index":0,"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[-1],"top_logprobs":[null],"text_offset":[0],"x":1},"finish_reason":null}]}""",
            """{"model":"m","choices":[{"index":0,"text":"","logprobs":{"tokens":["b"]},"finish_reason":""}]}""",
            """{"model":"m","choices":[{"index":0,"text":"","logprobs":{"tokens":["c"]},"finish_reason":"length"}]}""",
        ]);
        Assert.Equal("abc", string.Concat(Data(text).SelectMany(static data => data["choices"]![0]!["logprobs"]?["tokens"]?.AsArray() ?? []).Select(static token => (string)token!)));
        Assert.DoesNotContain("\"x\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Usage_without_choices_and_an_empty_finish_reason_are_accepted()
    {
        var stream = new ChatStream(_request with { IncludesUsage = true }, DateTimeOffset.UnixEpoch);
        var (end, text) = Run(stream, [Event("""{"content":"hey"}""", "\"\""), Event("{}", "\"stop\""), """{"usage":{"prompt_tokens":7.0,"completion_tokens":5}}""", """{"choices":null,"usage":{"prompt_tokens":7,"completion_tokens":6.0}}""", "[DONE]"]);
        Assert.Equal(StreamStep.Done, end);
        Assert.Equal((7, 6), (stream.Usage!.Value.Prompt, stream.Usage.Value.Completion));
        Assert.Contains("\"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":6,\"total_tokens\":13}", text, StringComparison.Ordinal);
    }
}
