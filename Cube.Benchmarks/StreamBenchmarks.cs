using System.Text;
using BenchmarkDotNet.Attributes;
using Cube.Inference.Chat;
using Cube.Inference.Json;
using Cube.Inference.Models;
using Cube.Inference.Translation;

namespace Cube.Benchmarks;

/// <summary>What normalising one event of a stream costs, as each server writes it.</summary>
[MemoryDiagnoser]
public class StreamBenchmarks : IDisposable
{
    private static readonly byte[] _vllm =
        """{"id":"chatcmpl-81b924fc6c10236b","object":"chat.completion.chunk","created":1795260506,"model":"smollm2","choices":[{"index":0,"delta":{"content":" hello","reasoning":null},"logprobs":null,"finish_reason":null,"token_ids":null}],"prompt_token_ids":null}"""u8.ToArray();

    private static readonly byte[] _ollama =
        """{"id":"chatcmpl-466","object":"chat.completion.chunk","created":1795260410,"model":"smollm2:135m","system_fingerprint":"fp_ollama","choices":[{"index":0,"delta":{"role":"assistant","content":" hello"},"finish_reason":null}]}"""u8.ToArray();

    private static readonly byte[] _next = Replace(_vllm);

    private readonly ChatStream _repeated = new(new ClientRequest { Model = "smollm2", IncludesUsage = true }, DateTimeOffset.UnixEpoch);
    private readonly ChatStream _stream = new(new ClientRequest { Model = "smollm2", IncludesUsage = true }, DateTimeOffset.UnixEpoch, usesTemplate: false);
    private readonly ByteBuffer _output = new(16 << 10);
    private int _count;

    [Benchmark(Baseline = true)]
    public int OfVllm() => Write(_stream, _vllm);

    [Benchmark]
    public int OfOllama() => Write(_stream, _ollama);

    /// <summary>An event that differs from the one before only in its text.</summary>
    [Benchmark]
    public int Repeated() => Write(_repeated, (_count++ & 1) == 0 ? _vllm : _next);

    public void Dispose()
    {
        _output.Dispose();
        GC.SuppressFinalize(this);
    }

    private static byte[] Replace(byte[] data) => Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(data).Replace(" hello", " world", StringComparison.Ordinal));

    private int Write(ChatStream stream, byte[] data)
    {
        _output.Truncate(0);
        stream.Write(data, _output);
        return _output.Length;
    }
}
