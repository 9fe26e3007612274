using System.Net.Sockets;
using System.Threading.Channels;
using Cube.Identity.Users;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Cube.Identity.Mail;

/// <summary>
/// Sends e-mails one at a time in the background, so that the duration of a request does not reveal whether an address has an account. Keeps
/// at most 1000 jobs and drops further ones.
/// </summary>
internal sealed partial class MailQueue(
    MailSender sender, MailTokenStore tokens, UserStore users, IOptions<MailOptions> options, TimeProvider time, ILogger<MailQueue> logger) : BackgroundService
{
    private const int Tries = 3;

    private readonly Channel<MailJob> _jobs =
        Channel.CreateBounded<MailJob>(new BoundedChannelOptions(1000) { FullMode = BoundedChannelFullMode.DropWrite });

    public bool IsConfigured => options.Value.IsConfigured;

    /// <summary>Does nothing when e-mail is not configured or the queue is full.</summary>
    public void Enqueue(MailJob job)
    {
        if (IsConfigured)
        {
            _jobs.Writer.TryWrite(job);
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await foreach (var job in _jobs.Reader.ReadAllAsync(stoppingToken))
        {
            try
            {
                if (await ComposeAsync(job, stoppingToken) is var (to, subject, text))
                {
                    await SendAsync(job, to, subject, text, stoppingToken);
                }
            }
            catch (Exception exception) when (exception is NpgsqlException or TimeoutException or SocketException)
            {
                NotSent(job.GetType().Name, exception.GetType().Name);
            }
        }
    }

    private async Task SendAsync(MailJob job, string to, string subject, string text, CancellationToken ct)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await sender.SendAsync(to, subject, text, ct);
                Sent(job.GetType().Name);
                return;
            }
            // Any failure (no STARTTLS, an invalid certificate, a refused login, a broken connection) means an unsent e-mail. It must not stop the service.
            catch (Exception exception) when (!ct.IsCancellationRequested)
            {
                // The log contains neither the address nor the server's message.
                if (attempt == Tries)
                {
                    NotSent(job.GetType().Name, exception.GetType().Name);
                    return;
                }

                await Task.Delay(TimeSpan.FromSeconds(5 * attempt), time, ct);
            }
        }
    }

    /// <returns>Null when there is no recipient.</returns>
    private async Task<(string To, string Subject, string Text)?> ComposeAsync(MailJob job, CancellationToken ct)
    {
        switch (job)
        {
            case MailJob.PasswordReset { Email: var email }
                when await users.FindByNameAsync(email, ct) is { Status: "enabled" } user && await tokens.CreateAsync(user, MailTokenStore.Recover, user.Email, ct) is { } token:
                return (user.Email, "Choose a new password",
                    $"""
                    A new password was requested for the account {user.Username}.

                    Within five minutes, send the new password together with this token:

                      curl -X PUT {Link("/password/reset")} -H 'Authorization: Bearer {token}' \
                        -H 'Content-Type: application/json' -d '{"{"}"password":"…","confirm_password":"…"{"}"}'

                    If you did not request this, ignore this e-mail. Your password does not change.
                    """);
            case MailJob.Verification { Email: var email }
                when await users.FindByNameAsync(email, ct) is { Status: "enabled", VerifiedAt: null } user && await tokens.CreateAsync(user, MailTokenStore.Verify, user.Email, ct) is { } token:
                return (user.Email, "Verify your account", Verification(user.Username, token));
            case MailJob.AddressChange { UserId: var id, Email: var email, PasswordHash: var hash }
                when await users.FindAsync(id, ct) is { } user && user.PasswordHash == hash && await tokens.CreateAsync(user, MailTokenStore.Verify, email, ct) is { } token:
                return (email, "Verify your new address", Verification(user.Username, token));
            case MailJob.AddressNotice { Email: var email, Username: var username, IsChanged: var isChanged }:
                return (email, isChanged ? "Your address was changed" : "A change of your address was requested", Notice(username, isChanged));
            case MailJob.Invitation { UserId: var id, DomainName: var domain } when await users.FindAsync(id, ct) is { } user:
                // The domain name is another user's input.
                return (user.Email, "You are invited",
                    $"""
                    You are invited to the domain "{domain.ReplaceLineEndings(" ")}".

                    After logging in, {Link("/invitations")} lists your invitations; accept or reject them there within a week.
                    """);
            default:
                return null;
        }
    }

    private string Verification(string username, string token) =>
        $"""
        Open this link within 24 hours to verify the address of the account {username}:

          {Link($"/verify-email?token={token}")}

        If you did not request this, ignore this e-mail.
        """;

    private static string Notice(string username, bool isChanged) => isChanged
        ? $"""
           The e-mail address of the account {username} was changed. E-mails about the account no longer go to this address.

           If you did not request this, contact an administrator immediately.
           """
        : $"""
           A change of the e-mail address of the account {username} was requested with its password.
           It takes effect when the new address is verified.

           If you did not request this, change your password. That cancels the request.
           """;

    private string Link(string path) => options.Value.LinkBase.TrimEnd('/') + path;

    [LoggerMessage(Level = LogLevel.Information, Message = "Sent an e-mail of kind {Kind}")]
    private partial void Sent(string kind);

    [LoggerMessage(Level = LogLevel.Error, Message = "Failed to send an e-mail of kind {Kind}: {Reason}")]
    private partial void NotSent(string kind, string reason);
}
