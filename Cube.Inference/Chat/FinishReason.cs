namespace Cube.Inference.Chat;

/// <summary>The finish reasons of OpenAI's API. Strict SDKs throw an exception for any other value.</summary>
internal static class FinishReason
{
    /// <param name="reason">The model server's finish reason, without quotes.</param>
    /// <param name="hasCalls">Whether the choice has tool calls.</param>
    /// <param name="choice">The <c>tool_choice</c> of the request.</param>
    /// <returns>A JSON string with its quotes; empty for an unknown reason.</returns>
    public static ReadOnlySpan<byte> Of(ReadOnlySpan<byte> reason, bool hasCalls, ToolChoice choice) =>
        reason.SequenceEqual("stop"u8) ? (hasCalls && choice != ToolChoice.Named ? "\"tool_calls\""u8 : "\"stop\""u8)
        : reason.SequenceEqual("length"u8) ? "\"length\""u8
        : reason.SequenceEqual("tool_calls"u8) ? (hasCalls ? "\"tool_calls\""u8 : "\"stop\""u8)
        : reason.SequenceEqual("content_filter"u8) ? "\"content_filter\""u8
        : default;

    /// <param name="reason">A result of <see cref="Of"/>.</param>
    /// <returns>Whether the response was truncated.</returns>
    public static bool IsIncomplete(ReadOnlySpan<byte> reason) => reason.SequenceEqual("\"length\""u8) || reason.SequenceEqual("\"content_filter\""u8);
}
