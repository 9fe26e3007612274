using System.Text;
using System.Text.RegularExpressions;
using CsCheck;
using Cube.Inference.Chat;
using Cube.Inference.Json;
using Cube.Inference.Streaming;
using Cube.Inference.Translation;
using Cube.Tests.Systems;

namespace Cube.Tests.Inference.Chat;

/// <summary>A stream has the same output with and without the template.</summary>
public sealed partial class EventTemplateTests
{
    private static readonly string[] _texts =
        ["a", " b", " longer text", "日本語", "é", "\\n", "\\\"", "\\u0041", "", "{}", "\"", "\u0001", "x\\", "\",\"content\":\"y", "}]}", "\u007f"];

    private static readonly string[] _finishes = ["null", "null", "null", "null", "null", "null", "\"stop\"", "\"length\"", "\"\""];

    private static readonly Gen<string> _event = Gen.Select(Gen.Int[0, 15].Select(static i => _texts[i]), Gen.Int[0, 1], Gen.Int[0, 8].Select(static i => _finishes[i]), Gen.Int[0, 11]).Select((text, index, finish, shape) => shape switch
    {
        < 7 => Chunk($$"""{"content":"{{text}}"}""", index, finish),
        7 => Chunk($$"""{"content":"{{text}}","reasoning":"{{text}}"}""", index, finish),
        8 => Chunk($$"""{"role":"assistant","content":"{{text}}"}""", index, finish),
        9 => Chunk($$"""{"content":"{{text}}","content":"z"}""", index, finish),
        10 => Chunk($$$"""{"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{{{text}}}"}}]}""", index, finish),
        _ => $$$"""{"id":"i","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":{{{index}}},"total_tokens":2}}""",
    });

    [Fact]
    public void Random_events_are_translated_as_by_the_parser() =>
        _event.Array[0, 40].Sample(events => Assert.Equal(Run(events, usesTemplate: false), Run(events, usesTemplate: true)), iter: TestLevel.Pick(3_000, 100_000));

    [Fact]
    public void Content_after_the_finish_reason_fails_the_stream()
    {
        string[] events = [Chunk("""{"content":"a"}""", 0, "null"), Chunk("""{"content":"b"}""", 0, "null"), Chunk("""{"content":"c"}""", 0, "null"), Chunk("{}", 0, "\"stop\""), Chunk("""{"content":"d"}""", 0, "null")];
        var (text, steps) = Run(events, usesTemplate: true);
        Assert.Equal("More, More, More, More, Failed", steps);
        Assert.DoesNotContain("\"d\"", text, StringComparison.Ordinal);
    }

    [Fact]
    public void The_template_learns_from_two_events_with_different_texts_and_forgets_at_any_other_event()
    {
        var template = new EventTemplate([.. "\"content\":\""u8]);
        Learn("a");
        Assert.False(Writes("b"));
        Learn("a");
        // Equal texts prove nothing.
        Assert.False(Writes("b"));
        Learn("b");
        Assert.True(Writes("c"));
        Assert.False(Writes("quote\\\""));
        Assert.False(template.TryWrite("{\"content\":\"\u0001\",\"x\":1}"u8, new ByteBuffer()));
        Assert.False(template.TryWrite([.. "{\"content\":\""u8, 0xff, .. "\",\"x\":1}"u8], new ByteBuffer()));
        Assert.False(template.TryWrite("{\"content\":\"d\",\"x\":2}"u8, new ByteBuffer()));
        template.Learn("{\"other\":1}"u8, "x"u8);
        Assert.False(Writes("c"));

        void Learn(string text) => template.Learn(Encoding.UTF8.GetBytes($$"""{"content":"{{text}}","x":1}"""), Encoding.UTF8.GetBytes($$"""data: {"content":"{{text}}"}"""));

        bool Writes(string text)
        {
            using var output = new ByteBuffer();
            var isWritten = template.TryWrite(Encoding.UTF8.GetBytes($$"""{"content":"{{text}}","x":1}"""), output);
            Assert.Equal(isWritten ? $$"""data: {"content":"{{text}}"}""" : "", Encoding.UTF8.GetString(output.Written.Span));
            return isWritten;
        }
    }

    private static (string Text, string Steps) Run(string[] events, bool usesTemplate)
    {
        using var output = new ByteBuffer();
        var stream = new ChatStream(new ClientRequest { Model = "m", Choices = 2 }, DateTimeOffset.UnixEpoch, usesTemplate);
        var steps = new List<StreamStep>();
        foreach (var data in events)
        {
            steps.Add(stream.Write(Encoding.UTF8.GetBytes(data), output));
            if (steps[^1] != StreamStep.More)
            {
                break;
            }
        }

        return (IdOf().Replace(Encoding.UTF8.GetString(output.Written.Span), ""), string.Join(", ", steps));
    }

    private static string Chunk(string delta, int index, string finish) =>
        $$"""{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":{{index}},"delta":{{delta}},"logprobs":null,"finish_reason":{{finish}}}]}""";

    [GeneratedRegex("chatcmpl-[0-9a-f]+")]
    private static partial Regex IdOf();
}
