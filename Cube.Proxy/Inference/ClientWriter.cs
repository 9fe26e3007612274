using System.IO.Pipelines;

namespace Cube.Proxy.Inference;

/// <summary>
/// Writes a response body at the speed at which the client reads it. The connection of a client that stops reading is aborted, because it would occupy the model server's connection and the
/// proxy's memory.
/// </summary>
internal static class ClientWriter
{
    /// <summary>The size of one write in bytes, small enough for a slow client to read it within the timeout.</summary>
    private const int MaxWriteBytes = 32 << 10;

    /// <param name="context">The request.</param>
    /// <param name="bytes">A part of the response body.</param>
    /// <param name="stallTimeout">Maximum time for one write.</param>
    /// <returns>False if the client has disconnected, or if its connection was aborted after the timeout.</returns>
    /// <exception cref="OperationCanceledException">The client has disconnected.</exception>
    public static async ValueTask<bool> WriteToClientAsync(this HttpContext context, ReadOnlyMemory<byte> bytes, TimeSpan stallTimeout)
    {
        while (true)
        {
            var slice = bytes[..Math.Min(bytes.Length, MaxWriteBytes)];
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
                    result = await write.AsTask().WaitAsync(stallTimeout);
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
