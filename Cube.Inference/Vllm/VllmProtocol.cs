namespace Cube.Inference.Vllm;

/// <summary>vLLM follows OpenAI's API and adds to it.</summary>
internal sealed class VllmProtocol : BackendProtocol
{
    public static VllmProtocol Instance { get; } = new();

    public override string Name => "vllm";

    public override string HealthPath => "health";

    public override BackendFeatures Features =>
        BackendFeatures.MultipleChoices | BackendFeatures.TokenInput | BackendFeatures.LogitBias | BackendFeatures.CompletionLogprobs | BackendFeatures.TextParts | BackendFeatures.ToolChoice
        | BackendFeatures.PrefixCache | BackendFeatures.ContinuousUsage | BackendFeatures.Audio | BackendFeatures.VllmApi;

    /// <summary>vLLM rejects 0. With the smallest value only the likeliest token is left, as with 0.</summary>
    public override double MinTopP => 1e-6;
}
