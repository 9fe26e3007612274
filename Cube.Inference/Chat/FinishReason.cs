
namespace Cube.Inference.Chat;

/// <summary>Why a choice ends. The set is closed: a strict SDK throws at any other word.</summary>
internal static class FinishReason
{
    /// <param name="word">The model server's.</param>
    /// <param name="hasCalls">The choice has called tools.</param>
    /// <param name="choice">What the client said of tools.</param>
    /// <returns>As a JSON text with its quotes; empty for what is no proper end.</returns>
    public static ReadOnlySpan<byte> Of(ReadOnlySpan<byte> word, bool hasCalls, ToolChoice choice) =>
        word.SequenceEqual("stop"u8) ? (hasCalls && choice != ToolChoice.Named ? "\"tool_calls\""u8 : "\"stop\""u8)
        : word.SequenceEqual("length"u8) ? "\"length\""u8
        : word.SequenceEqual("tool_calls"u8) ? (hasCalls ? "\"tool_calls\""u8 : "\"stop\""u8)
        : word.SequenceEqual("content_filter"u8) ? "\"content_filter\""u8
        : default;

    /// <param name="reason">As <see cref="Of"/> gives it.</param>
    /// <returns>Whether the answer ended before the model had ended it.</returns>
    public static bool IsCut(ReadOnlySpan<byte> reason) => reason.SequenceEqual("\"length\""u8) || reason.SequenceEqual("\"content_filter\""u8);
}
