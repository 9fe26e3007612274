namespace Cube.Inference.Translation;

/// <summary>What became of an event of a stream.</summary>
public enum StreamStep
{
    /// <summary>The stream continues.</summary>
    More,

    /// <summary>The stream is complete, and its end is written.</summary>
    Done,

    /// <summary>The model server has failed.</summary>
    Failed,
}

/// <summary>Translates a streamed response, event by event. OpenAI's server-sent events and Ollama's lines have implementations of their own.</summary>
public interface IStreamTranslator
{
    /// <summary>Of the client's response.</summary>
    string ContentType { get; }

    /// <summary>Each line of the model server's response is an event (Ollama's API).</summary>
    bool IsLineDelimited { get; }

    /// <summary>The last usage that the model server reported, also where the client did not ask for it.</summary>
    TokenUsage? Usage { get; }

    /// <summary>The error for the client where an event was a failure.</summary>
    OpenAiError Failure => OpenAiError.UpstreamError;

    /// <param name="data">One event of the model server.</param>
    /// <param name="output">Takes the client's events; is unchanged where the event is a failure.</param>
    StreamStep Write(ReadOnlySpan<byte> data, ByteBuffer output);

    /// <summary>The model server has ended the stream.</summary>
    StreamStep Complete(ByteBuffer output);

    /// <summary>Writes the last event of a stream that breaks.</summary>
    void WriteError(OpenAiError failure, ByteBuffer output);
}
