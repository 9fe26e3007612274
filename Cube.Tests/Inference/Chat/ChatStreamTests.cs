using System.Text;
using System.Text.Json;
using CsCheck;
using Cube.Inference.Chat;
using Cube.Inference.Json;
using Cube.Inference.Models;
using Cube.Inference.Streaming;
using Cube.Inference.Translation;

namespace Cube.Tests.Inference.Chat;

/// <summary>Properties of stream translation for all inputs and all splits.</summary>
public sealed class ChatStreamTests
{
    private static readonly string[] _ends = ["\n", "\r\n", "\r"];

    /// <summary>Returns the bytes in reads of the given lengths.</summary>
    private sealed class Pieces(byte[] bytes, IReadOnlyList<int> lengths) : MemoryStream(bytes)
    {
        private int _next;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(buffer.Length, Math.Max(1, lengths.Count == 0 ? buffer.Length : lengths[_next++ % lengths.Count]))], cancellationToken);
    }

    private static async Task<(string Text, StreamStep End)> RunAsync(byte[] bytes, IReadOnlyList<int> lengths)
    {
        var answer = new ChatStream(new ClientRequest { Model = "m", IncludesUsage = true }, DateTimeOffset.UnixEpoch);
        using var reader = new SseReader(new Pieces(bytes, lengths));
        using var output = new ByteBuffer();
        while (true)
        {
            var isFinal = !await reader.FillAsync(CancellationToken.None);
            while (reader.TryRead(out var data, isFinal))
            {
                if (answer.Write(data, output) is not StreamStep.More and var step)
                {
                    return (StableText(output), step);
                }
            }

            if (isFinal)
            {
                return (StableText(output), answer.Complete(output));
            }
        }
    }

    private static string StableText(ByteBuffer output) => System.Text.RegularExpressions.Regex.Replace(Encoding.UTF8.GetString(output.Written.Span), "\"id\":\"chatcmpl-[0-9a-f]+\"", "");

    [Fact]
    public Task Every_split_and_every_line_ending_gives_the_same_events() =>
        Gen.Select(Gen.String.Array[0, 8], Gen.Int[0, 2].Select(static i => _ends[i]), Gen.Int[1, 50].Array[0, 20], Gen.Bool).SampleAsync(async (texts, end, lengths, comments) =>
        {
            var events = new StringBuilder();
            foreach (var text in texts)
            {
                var content = JsonSerializer.Serialize(text.Replace("\ud800", "", StringComparison.Ordinal));
                events.Append(comments ? $": ping{end}" : "").Append($"data:{(comments ? "" : " ")}{{\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{\"content\":{content}}},\"finish_reason\":null}}]}}{end}{end}");
            }

            events.Append($"data: {{\"model\":\"m\",\"choices\":[{{\"index\":0,\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}{end}{end}data: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":1,\"completion_tokens\":2}}}}{end}{end}data: [DONE]{end}{end}");
            var bytes = Encoding.UTF8.GetBytes(events.ToString());
            var whole = await RunAsync(bytes, []);
            Assert.Equal(StreamStep.Done, whole.End);
            Assert.Equal(whole, await RunAsync(bytes, lengths));
            Assert.Equal(whole, await RunAsync(bytes, [1]));
        }, iter: 300);

    [Fact]
    public Task Malformed_input_fails_the_stream_without_an_exception() =>
        Gen.Byte.Array[0, 400].SampleAsync(async bytes => Assert.NotEqual(StreamStep.Done, (await RunAsync(bytes, [7])).End), iter: 500);

    [Theory]
    [InlineData("1.10")]
    [InlineData("9007199254740993")]
    [InlineData("-0.0")]
    [InlineData("1e400")]
    [InlineData("123456789012345678901234567890.123456789")]
    public void Numbers_keep_all_their_digits(string number)
    {
        var answer = new ChatStream(new ClientRequest { Model = "m" }, DateTimeOffset.UnixEpoch);
        using var output = new ByteBuffer();
        Assert.Equal(StreamStep.More, answer.Write(Encoding.UTF8.GetBytes($$"""{"model":"m","choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"content":[{"token":"x","logprob":{{number}}}]},"finish_reason":null}]}"""), output));
        Assert.Contains($"\"logprob\":{number},", Encoding.UTF8.GetString(output.Written.Span), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hello", "hello")]
    [InlineData("hello", "world")]
    [InlineData("hello", "\\n")]
    public void After_the_first_ones_an_event_allocates_no_memory(string first, string second)
    {
        var answer = new ChatStream(new ClientRequest { Model = "m" }, DateTimeOffset.UnixEpoch);
        using var output = new ByteBuffer(1 << 16);
        byte[][] events = [Event(first), Event(second)];
        for (var i = 0; i < 6; i++)
        {
            answer.Write(events[i % 2], output);
        }

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
        {
            output.Truncate(0);
            answer.Write(events[i % 2], output);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);

        static byte[] Event(string text) => Encoding.UTF8.GetBytes(
            $$$"""{"id":"x","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"{{{text}}}"},"logprobs":null,"finish_reason":null}]}""");
    }

    [Fact]
    public async Task Comments_and_multi_line_data_follow_the_SSE_standard()
    {
        var (text, end) = await RunAsync(
            "retry: 5\n: x\n\ndata: {\"model\":\"m\",\ndata: \"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":\"length\"}]}\n\nevent: x\ndata: [DONE] \n\n"u8.ToArray(), []);
        Assert.Equal(StreamStep.Done, end);
        Assert.Contains("\"content\":\"a\"", text, StringComparison.Ordinal);
    }
}
