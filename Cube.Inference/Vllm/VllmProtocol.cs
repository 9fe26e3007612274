namespace Cube.Inference.Vllm;

/// <summary>The protocol of vLLM, which extends OpenAI's API.</summary>
internal sealed class VllmProtocol : BackendProtocol
{
    public static VllmProtocol Instance { get; } = new();

    public override string Name => "vllm";

    public override string HealthPath => "health";

    public override BackendFeatures Features =>
        BackendFeatures.MultipleChoices | BackendFeatures.TokenInput | BackendFeatures.LogitBias | BackendFeatures.CompletionLogprobs | BackendFeatures.TextParts | BackendFeatures.ToolChoice
        | BackendFeatures.PrefixCache | BackendFeatures.ContinuousUsage | BackendFeatures.Audio | BackendFeatures.VllmApi;

    /// <summary>vLLM rejects 0. This value has the same effect: only the most likely token remains.</summary>
    public override double MinTopP => 1e-6;
}
