using System.Diagnostics;
using System.Diagnostics.Metrics;
using Cube.Inference.Translation;

namespace Cube.Proxy.Inference;

/// <summary>Counts the tokens of requests and responses, and adds them to the current span.</summary>
internal sealed class TokenMeter(IMeterFactory meters)
{
    private readonly Counter<long> _tokens = meters.Create("Cube.Proxy").CreateCounter<long>(
        "cube.proxy.tokens", "{token}", "Tokens as model servers count them, by domain, model and direction.");

    public void Add(TokenUsage usage, BackendExchange exchange)
    {
        Activity.Current?.SetTag("gen_ai.usage.input_tokens", usage.Prompt).SetTag("gen_ai.usage.output_tokens", usage.Completion);
        TagList tags = new() { { "cube.domain.id", exchange.Member.DomainId }, { "gen_ai.request.model", exchange.Model }, { "cube.usage.estimated", usage.IsEstimated } };
        _tokens.Add(usage.Prompt, [.. tags, new("gen_ai.token.type", "input")]);
        _tokens.Add(usage.Completion, [.. tags, new("gen_ai.token.type", "output")]);
    }
}
