using System.IO.Pipelines;

namespace Cube.Proxy.Inference;

/// <summary>Writes an answer to the client as fast as the client takes it. A client that takes nothing for a while would hold the model server's connection and the proxy's memory.</summary>
internal static class ClientWriter
{
    /// <summary>Small enough for a slow client to take one within the patience.</summary>
    private const int Slice = 32 << 10;

    /// <param name="context">The request.</param>
    /// <param name="bytes">A part of the answer's body.</param>
    /// <param name="patience">How long the client may take nothing.</param>
    /// <returns>False where the client has gone, or took nothing for so long that its connection was aborted.</returns>
    /// <exception cref="OperationCanceledException">The client has gone.</exception>
    public static async ValueTask<bool> WriteToClientAsync(this HttpContext context, ReadOnlyMemory<byte> bytes, TimeSpan patience)
    {
        while (true)
        {
            var slice = bytes[..Math.Min(bytes.Length, Slice)];
            var write = context.Response.BodyWriter.WriteAsync(slice, context.RequestAborted);
            FlushResult result;
            if (write.IsCompletedSuccessfully)
            {
                result = write.Result;
            }
            else
            {
                try
                {
                    result = await write.AsTask().WaitAsync(patience);
                }
                catch (TimeoutException)
                {
                    context.Abort();
                    return false;
                }
            }

            if (result.IsCompleted || result.IsCanceled)
            {
                return false;
            }

            bytes = bytes[slice.Length..];
            if (bytes.IsEmpty)
            {
                return true;
            }
        }
    }
}
