namespace Cube.Inference.Translation;

/// <summary>The state of a stream after an event.</summary>
public enum StreamStep
{
    /// <summary>The stream continues.</summary>
    More,

    /// <summary>The stream is complete, and its end is written.</summary>
    Done,

    /// <summary>The model server has failed.</summary>
    Failed,
}

/// <summary>Translates a streamed response, event by event.</summary>
public interface IStreamTranslator
{
    /// <summary>The content type of the client's response.</summary>
    string ContentType { get; }

    /// <summary>Whether each line of the model server's response is an event (Ollama's API); otherwise it has server-sent events.</summary>
    bool IsLineDelimited { get; }

    /// <summary>The last usage that the model server reported, also if the client did not request it.</summary>
    TokenUsage? Usage { get; }

    /// <summary>The client's error after <see cref="StreamStep.Failed"/>.</summary>
    OpenAiError Failure => OpenAiError.UpstreamError;

    /// <summary>Translates one event.</summary>
    /// <param name="data">The event of the model server.</param>
    /// <param name="output">Receives the client's events; unchanged after a failure.</param>
    StreamStep Write(ReadOnlySpan<byte> data, ByteBuffer output);

    /// <summary>Called when the model server has ended the stream.</summary>
    StreamStep Complete(ByteBuffer output);

    /// <summary>Writes the last event of a failed stream.</summary>
    void WriteError(OpenAiError failure, ByteBuffer output);
}
