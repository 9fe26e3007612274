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

    private readonly ChatStream _stream = new(new ClientRequest { Model = "smollm2", IncludesUsage = true }, DateTimeOffset.UnixEpoch);
    private readonly ByteBuffer _output = new(16 << 10);

    [Benchmark(Baseline = true)]
    public int OfVllm() => Write(_vllm);

    [Benchmark]
    public int OfOllama() => Write(_ollama);

    public void Dispose()
    {
        _output.Dispose();
        GC.SuppressFinalize(this);
    }

    private int Write(byte[] data)
    {
        _output.Truncate(0);
        _stream.Write(data, _output);
        return _output.Length;
    }
}
