namespace Cube.Inference.Translation;

/// <summary>The <c>tool_choice</c> of a request.</summary>
public enum ToolChoice
{
    Auto,
    None,
    Required,

    /// <summary>One tool by its name. In OpenAI's API the finish reason of such a response is <c>stop</c>, not <c>tool_calls</c>.</summary>
    Named,
}
