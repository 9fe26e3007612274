namespace Cube.Inference.Translation;

/// <summary>How the model is to use its tools.</summary>
public enum ToolChoice
{
    Auto,
    None,
    Required,

    /// <summary>One tool by its name. OpenAI ends such an answer with <c>stop</c>, not with <c>tool_calls</c>.</summary>
    Named,
}
