namespace Cube.Inference.Guide;

/// <summary>Cube's own <c>cube-guide</c>: OpenAI's chats, completions and models, without the optional features.</summary>
internal sealed class GuideProtocol : BackendProtocol
{
    public static GuideProtocol Instance { get; } = new();

    public override string Name => "guide";

    public override BackendFeatures Features => BackendFeatures.Suffix;

    public override string ReasoningEffortOf(string effort) => effort switch { "minimal" => "low", "xhigh" or "max" => "high", _ => effort };
}
