namespace Cube.Inference.Guide;

/// <summary>The protocol of Cube's <c>cube-guide</c>: chats, completions and models of OpenAI's API, with only the feature <c>suffix</c>.</summary>
internal sealed class GuideProtocol : BackendProtocol
{
    public static GuideProtocol Instance { get; } = new();

    public override string Name => "guide";

    public override BackendFeatures Features => BackendFeatures.Suffix;

    public override string ReasoningEffortOf(string effort) => effort switch { "minimal" => "low", "xhigh" or "max" => "high", _ => effort };
}
